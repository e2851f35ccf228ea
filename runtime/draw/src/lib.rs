//! Figures as PDF and PNG: SVG in, bytes out. The feature `figures` adds the conversion to a build; a gmpc without it writes SVG and
//! tells the user how to get the rest.
//!
//! Texts are set in a sans-serif font of the system, which a PDF then holds. Where there is none, nothing is drawn without its texts:
//! [`open`] says so.

#![forbid(unsafe_code)]

#[cfg(feature = "figures")]
mod converter;

/// Dots per inch of a PNG: what publishers ask for of drawings in colour.
pub const DOTS: f32 = 300.0;

/// Draws figures.
pub trait Draw {
    /// The figure as PDF, of the size that the SVG states; texts stay texts.
    ///
    /// # Errors
    /// A sentence: the SVG cannot be read or drawn.
    fn pdf(&self, svg: &str) -> Result<Vec<u8>, String>;

    /// The figure as PNG with [`DOTS`] per inch, of the size that the SVG states.
    ///
    /// # Errors
    /// A sentence: the SVG cannot be read or drawn, or is too large.
    fn png(&self, svg: &str) -> Result<Vec<u8>, String>;
}

/// What draws figures, with the fonts of this machine.
///
/// # Errors
/// A sentence saying what is missing, and one saying what to do: the feature, or a font.
pub fn open() -> Result<Box<dyn Draw>, [String; 2]> {
    #[cfg(feature = "figures")]
    return converter::Converter::new().map(|converter| Box::new(converter) as Box<dyn Draw>);
    #[cfg(not(feature = "figures"))]
    Err([
        "this gmpc was built without PDF and PNG".into(),
        "build it with `cargo build --release --features figures`; figures as SVG are there".into(),
    ])
}
