//! The conversion, by resvg and svg2pdf.

use crate::{DOTS, Draw};
use resvg::tiny_skia::{Pixmap, Transform};
use std::sync::Arc;
use svg2pdf::usvg::fontdb::Database;
use svg2pdf::usvg::{Options, Tree};
use svg2pdf::{ConversionOptions, PageOptions};

/// Pixels of an inch of an SVG.
const PIXELS: f32 = 96.0;
/// Fonts that texts are set in, the first one that is there: they have the same widths, or nearly, as the drawings assume.
const FAMILIES: [&str; 6] = ["Helvetica", "Arial", "Liberation Sans", "Nimbus Sans", "DejaVu Sans", "Noto Sans"];
/// The largest picture, in dots each way.
const LARGEST: f32 = 20_000.0;

/// Draws with the system's fonts.
pub(crate) struct Converter {
    fonts: Arc<Database>,
    family: String,
}

impl Converter {
    pub(crate) fn new() -> Result<Self, [String; 2]> {
        let mut fonts = Database::new();
        fonts.load_system_fonts();
        let has = |family: &&str| fonts.faces().any(|face| face.families.iter().any(|(name, _)| name == family));
        let any = || Some(fonts.faces().next()?.families.first()?.0.clone());
        let family = FAMILIES.iter().copied().find(has).map(String::from).or_else(any);
        let Some(family) = family else {
            return Err([
                "no font is installed, and a figure without its texts would be of no use".into(),
                "install one, such as Debian's fonts-dejavu-core; figures as SVG are there".into(),
            ]);
        };
        fonts.set_sans_serif_family(family.clone());
        Ok(Converter { fonts: Arc::new(fonts), family })
    }

    fn tree(&self, svg: &str) -> Result<Tree, String> {
        let (fontdb, font_family) = (Arc::clone(&self.fonts), self.family.clone());
        let options = Options { fontdb, font_family, dpi: PIXELS, ..Options::default() };
        Tree::from_str(svg, &options).map_err(|error| error.to_string())
    }
}

impl Draw for Converter {
    fn pdf(&self, svg: &str) -> Result<Vec<u8>, String> {
        let page = PageOptions { dpi: PIXELS };
        svg2pdf::to_pdf(&self.tree(svg)?, ConversionOptions::default(), page).map_err(|error| error.to_string())
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and below 20,000")]
    fn png(&self, svg: &str) -> Result<Vec<u8>, String> {
        let (tree, scale) = (self.tree(svg)?, DOTS / PIXELS);
        let [wide, high] = [tree.size().width(), tree.size().height()].map(|side| (side * scale).round().max(1.0));
        if wide > LARGEST || high > LARGEST {
            return Err(format!("a picture of {wide} x {high} dots is too large"));
        }
        let mut map = Pixmap::new(wide as u32, high as u32).ok_or("there is no memory for the picture")?;
        resvg::render(&tree, Transform::from_scale(scale, scale), &mut map.as_mut());
        map.encode_png().map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SVG: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"3.25in\" height=\"1in\" viewBox=\"0 0 650 200\">\
         <rect width=\"650\" height=\"200\" fill=\"#ffffff\"/><path d=\"M0 0L650 200\" stroke=\"#d62728\" stroke-width=\"8\"/>\
         <text x=\"20\" y=\"180\" font-size=\"40\" font-family=\"system-ui, sans-serif\">test.rmse ± φ</text></svg>";

    fn converter() -> Converter {
        Converter::new().expect("a font: install fonts-dejavu-core")
    }

    #[test]
    fn a_pdf_has_the_size_of_the_column_and_its_texts_as_texts() {
        let converter = converter();
        let pdf = converter.pdf(SVG).unwrap();
        let text = String::from_utf8_lossy(&pdf);
        assert!(text.starts_with("%PDF-") && text.contains("/MediaBox [0 0 234 72]"), "3.25 x 1 inches in points");
        assert!(text.contains("/FontFile") && text.contains("/ToUnicode"), "the font is inside, texts can be found");
    }

    #[test]
    fn a_png_has_three_hundred_dots_an_inch_and_draws_lines_and_texts() {
        let converter = converter();
        let png = converter.png(SVG).unwrap();
        let map = Pixmap::decode_png(&png).unwrap();
        assert_eq!((map.width(), map.height()), (975, 300));
        let dark = map.pixels().iter().filter(|dot| dot.red() < 60 && dot.green() < 60 && dot.blue() < 60).count();
        let red = map.pixels().iter().filter(|dot| dot.red() > 180 && dot.green() < 90).count();
        assert!(dark > 500 && red > 2000, "{dark} of texts, {red} of the line");
    }

    #[test]
    fn what_is_no_drawing_is_refused() {
        let converter = converter();
        assert!(converter.pdf("<svg").is_err() && converter.png("").is_err());
        let huge = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"900in\" height=\"1in\"></svg>";
        assert!(converter.png(huge).unwrap_err().contains("too large"));
    }
}
