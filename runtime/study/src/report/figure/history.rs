//! The numbers of one run, epoch after epoch, out of its `metrics.jsonl`.
//!
//! A page of many runs reads a million of these lines, so that nothing is made of what is not drawn: a line is walked once, its names
//! are borrowed from the text.

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// Numbers of one run, epoch after epoch, by name.
pub type History = BTreeMap<String, Vec<(f64, f64)>>;

/// The lines of `metrics.jsonl`; what is no line of an epoch is passed over.
#[must_use]
pub fn history(text: &str) -> History {
    gathered(text.lines())
}

/// Every `step`-th line from the first one on, and with `and_last` also the last. Runs whose mean is taken need the same epochs, so they
/// are read with one step, and without the last line of each.
#[must_use]
pub(super) fn thinned(text: &str, step: usize, and_last: bool) -> History {
    let last = if and_last { text.lines().count().saturating_sub(1) } else { 0 };
    gathered(text.lines().enumerate().filter(|(k, _)| k % step.max(1) == 0 || *k == last).map(|(_, line)| line))
}

fn gathered<'a>(lines: impl Iterator<Item = &'a str>) -> History {
    let mut found = History::new();
    for line in lines.filter_map(|line| serde_json::from_str::<Line<'_>>(line).ok()) {
        let Some((_, epoch)) = line.0.iter().find(|(name, _)| name == "epoch") else { continue };
        for (name, value) in line.0.iter().filter(|(name, _)| name.contains('.') || name == "lr") {
            match found.get_mut(name.as_ref()) {
                Some(points) => points.push((*epoch, *value)),
                None => drop(found.insert(name.to_string(), vec![(*epoch, *value)])),
            }
        }
    }
    found
}

/// The numbers of an object, by name.
struct Line<'a>(Vec<(Cow<'a, str>, f64)>);

impl<'de> Deserialize<'de> for Line<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Object)
    }
}

struct Object;

impl<'de> Visitor<'de> for Object {
    type Value = Line<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a line of metrics.jsonl")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut numbers = Vec::new();
        while let Some(Name(name)) = map.next_key()? {
            if let Number(Some(number)) = map.next_value()? {
                numbers.push((name, number));
            }
        }
        Ok(Line(numbers))
    }
}

/// A name, borrowed unless it is written with escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(text.to_string())))
            }
        }
        from.deserialize_str(Text)
    }
}

/// A number, or nothing where something else stands.
struct Number(Option<f64>);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Number;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }
            fn visit_f64<E>(self, number: f64) -> Result<Number, E> {
                Ok(Number(Some(number)))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Number, E> {
                Ok(Number(Some(number as f64)))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Number, E> {
                Ok(Number(Some(number as f64)))
            }
            fn visit_bool<E>(self, _: bool) -> Result<Number, E> {
                Ok(Number(None))
            }
            fn visit_str<E>(self, _: &str) -> Result<Number, E> {
                Ok(Number(None))
            }
            fn visit_unit<E>(self) -> Result<Number, E> {
                Ok(Number(None))
            }
            // A list or an object is read to its end: the parser goes on behind it.
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Number, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Number(None))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Number, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Number(None))
            }
        }
        from.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_metrics_are_read_by_name() {
        let found = history(
            "{\"event\":\"epoch\",\"epoch\":1,\"lr\":0.1,\"train.loss\":2.0,\"best\":true,\"x.y\":null}\nnonsense\n",
        );
        assert_eq!(found.keys().collect::<Vec<_>>(), ["lr", "train.loss"]);
        assert_eq!(found["train.loss"], [(1.0, 2.0)]);
    }

    #[test]
    fn what_else_may_stand_in_a_line_does_no_harm() {
        let odd = "{\"epoch\":2,\"a.b\":[1,{\"c\":2}],\"d.e\":{\"f\":[]},\"g\\u002eh\":-3,\"epoch.x\":\"4\"}";
        let found = history(odd);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [("g.h".to_string(), vec![(2.0, -3.0)])]);
        assert!(history("{\"lr\":0.1}\n[1]\n3").is_empty());
    }

    #[test]
    fn of_a_long_run_the_first_and_the_last_epoch_are_kept() {
        let text: String = (1..=1000).map(|k| format!("{{\"epoch\":{k},\"lr\":{k}}}\n")).collect();
        let epochs = &thinned(&text, 10, true)["lr"];
        assert!(epochs.len() == 101 && epochs[0] == (1.0, 1.0) && epochs[100] == (1000.0, 1000.0));
        assert_eq!(thinned(&text, 10, false)["lr"][99], (991.0, 991.0));
        assert_eq!(thinned(&text, 1, false)["lr"].len(), 1000);
    }
}
