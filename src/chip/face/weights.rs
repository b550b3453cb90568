//! Weights of a network as TensorFlow.js keeps them: a manifest in JSON (names, shapes, codings) and a file of numbers,
//! whole or quantised to eight bits.
//!
//! A file that goes by unread is a file that anybody may have written: what is taken must be on the list of digests in
//! `matcher.rs`. This reader does not lean on that; it holds its limits for any manifest.

use serde::Deserialize;
use std::collections::BTreeMap;

/// Most bytes of a manifest. The longer of the two in use has 20 KB.
pub(super) const MOST_MANIFEST: u64 = 256 * 1024;
/// Most bytes of a file of numbers. The longer of the two in use has 6.4 MB.
pub(super) const MOST_NUMBERS: u64 = 16 << 20;
/// Most numbers of all tensors together; eight bits each become 32.
const MOST_VALUES: usize = 16 << 20;
/// Most tensors.
const MOST_TENSORS: usize = 1024;
/// Most axes of a tensor.
const MOST_AXES: usize = 4;

/// The tensors of one network by name, until a layer takes them.
#[derive(Debug)]
pub(super) struct Weights(BTreeMap<String, Tensor>);

#[derive(Debug)]
struct Tensor {
    shape: Vec<usize>,
    values: Vec<f32>,
}

/// Why weights are not taken. It names tensors, which are no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Broken {
    /// The manifest is no manifest.
    #[error("the manifest is not of the form expected, line {0}")]
    Manifest(usize),
    /// More tensors, axes or numbers than any network here has.
    #[error("more {0} than a network of this kind has")]
    TooMuch(&'static str),
    /// Two tensors of one name, or a coding that is not known.
    #[error("tensor {0} is named twice or coded in a way that is not known")]
    Odd(String),
    /// A number that is none.
    #[error("tensor {0} holds a number that is not finite")]
    NotFinite(String),
    /// The file of numbers is shorter or longer than the manifest says.
    #[error("the file of numbers has another length than its manifest says")]
    Length,
    /// A tensor that the network needs is absent or has another shape.
    #[error("tensor {0} is absent or has another shape")]
    Absent(String),
    /// Tensors are left over that no layer took.
    #[error("{0} tensors belong to no layer")]
    LeftOver(usize),
}

#[derive(Deserialize)]
struct Group {
    paths: Vec<String>,
    weights: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    shape: Vec<usize>,
    dtype: String,
    quantization: Option<Quantization>,
}

#[derive(Deserialize)]
struct Quantization {
    dtype: String,
    scale: f64,
    min: f64,
}

impl Weights {
    /// Reads a manifest with one group and the one file that it names; where that file lies is the caller's business, the
    /// path in the manifest is never opened.
    ///
    /// # Errors
    /// See [`Broken`].
    pub(super) fn parse(manifest: &[u8], numbers: &[u8]) -> Result<Weights, Broken> {
        if manifest.len() as u64 > MOST_MANIFEST || numbers.len() as u64 > MOST_NUMBERS {
            return Err(Broken::TooMuch("bytes"));
        }
        let [group]: [Group; 1] = serde_json::from_slice(manifest).map_err(|e| Broken::Manifest(e.line()))?;
        if group.paths.len() != 1 || group.weights.len() > MOST_TENSORS {
            return Err(Broken::TooMuch("files or tensors"));
        }
        let (mut left, mut total, mut tensors) = (numbers, 0_usize, BTreeMap::new());
        for entry in group.weights {
            let count = entry.count()?;
            total =
                total.checked_add(count).filter(|n| *n <= MOST_VALUES).ok_or(Broken::TooMuch("numbers"))?;
            let length = count * entry.bytes()?;
            let (own, rest) = left.split_at_checked(length).ok_or(Broken::Length)?;
            left = rest;
            let values = entry.values(own)?;
            let name = entry.name.clone();
            if tensors.insert(entry.name, Tensor { shape: entry.shape, values }).is_some() {
                return Err(Broken::Odd(name));
            }
        }
        if left.is_empty() { Ok(Weights(tensors)) } else { Err(Broken::Length) }
    }

    /// Takes the tensor of a name, which must have exactly this shape.
    ///
    /// # Errors
    /// It is not there, or has another shape.
    pub(super) fn take(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, Broken> {
        match self.0.remove(name) {
            Some(tensor) if tensor.shape == shape => Ok(tensor.values),
            _ => Err(Broken::Absent(name.to_owned())),
        }
    }

    /// Says that the network is complete: what is left over would belong to a network of another build.
    ///
    /// # Errors
    /// Tensors are left over.
    pub(super) fn done(&self) -> Result<(), Broken> {
        if self.0.is_empty() { Ok(()) } else { Err(Broken::LeftOver(self.0.len())) }
    }
}

impl Entry {
    fn count(&self) -> Result<usize, Broken> {
        if self.shape.len() > MOST_AXES {
            return Err(Broken::TooMuch("axes"));
        }
        let count = self.shape.iter().try_fold(1_usize, |n, axis| n.checked_mul(*axis));
        count.filter(|n| *n <= MOST_VALUES).ok_or(Broken::TooMuch("numbers"))
    }

    /// Bytes of one number in the file.
    fn bytes(&self) -> Result<usize, Broken> {
        match (self.dtype.as_str(), self.quantization.as_ref().map(|q| q.dtype.as_str())) {
            ("float32", None) => Ok(4),
            ("float32", Some("uint8")) => Ok(1),
            _ => Err(Broken::Odd(self.name.clone())),
        }
    }

    fn values(&self, bytes: &[u8]) -> Result<Vec<f32>, Broken> {
        let values: Vec<f32> = match &self.quantization {
            // In double precision and rounded once, as the library does that made the file.
            Some(q) => bytes.iter().map(|b| (f64::from(*b) * q.scale + q.min) as f32).collect(),
            None => {
                let (whole, _) = bytes.as_chunks::<4>();
                whole.iter().map(|b| f32::from_le_bytes(*b)).collect()
            }
        };
        if values.iter().all(|v| v.is_finite()) {
            Ok(values)
        } else {
            Err(Broken::NotFinite(self.name.clone()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn manifest(weights: &str) -> String {
        format!(r#"[{{"paths":["x.bin"],"weights":[{weights}]}}]"#)
    }

    fn parse(weights: &str, numbers: &[u8]) -> Result<Weights, Broken> {
        Weights::parse(manifest(weights).as_bytes(), numbers)
    }

    const EIGHT: &str = r#"{"name":"a","shape":[2,2],"dtype":"float32","quantization":{"dtype":"uint8","scale":0.5,"min":-1}}"#;
    const WHOLE: &str = r#"{"name":"b","shape":[1],"dtype":"float32"}"#;

    #[test]
    fn eight_bits_are_scaled_and_whole_numbers_are_read_as_they_are() {
        let numbers = [[0, 1, 2, 255].as_slice(), &1.5_f32.to_le_bytes()].concat();
        let mut weights = parse(&format!("{EIGHT},{WHOLE}"), &numbers).unwrap();
        assert_eq!(weights.take("a", &[2, 2]).unwrap(), [-1.0, -0.5, 0.0, 126.5]);
        assert_eq!(weights.done(), Err(Broken::LeftOver(1)));
        assert_eq!(weights.take("b", &[1]).unwrap(), [1.5]);
        assert_eq!(weights.done(), Ok(()));
    }

    #[test]
    fn a_tensor_is_taken_once_and_in_its_shape_only() {
        let mut weights = parse(EIGHT, &[0; 4]).unwrap();
        assert_eq!(weights.take("c", &[2, 2]), Err(Broken::Absent("c".to_owned())));
        let mut again = parse(EIGHT, &[0; 4]).unwrap();
        assert_eq!(again.take("a", &[4]), Err(Broken::Absent("a".to_owned())));
        weights.take("a", &[2, 2]).unwrap();
        assert_eq!(weights.take("a", &[2, 2]), Err(Broken::Absent("a".to_owned())));
    }

    #[test]
    fn a_file_that_is_a_byte_short_or_long_is_refused() {
        assert_eq!(parse(EIGHT, &[0; 3]).unwrap_err(), Broken::Length);
        assert_eq!(parse(EIGHT, &[0; 5]).unwrap_err(), Broken::Length);
        assert_eq!(parse(WHOLE, &[0; 3]).unwrap_err(), Broken::Length);
    }

    #[test]
    fn a_shape_that_overflows_or_asks_for_all_memory_is_refused_before_memory_is_taken() {
        let shaped = |shape: &str| parse(&EIGHT.replace("[2,2]", shape), &[0; 4]).unwrap_err();
        assert_eq!(shaped("[18446744073709551615,2]"), Broken::TooMuch("numbers"));
        assert_eq!(shaped("[4294967296,4294967296]"), Broken::TooMuch("numbers"));
        assert_eq!(shaped("[16777217]"), Broken::TooMuch("numbers"));
        assert_eq!(shaped("[1,1,1,1,4]"), Broken::TooMuch("axes"));
        assert!(matches!(shaped("[-1]"), Broken::Manifest(_)));
        assert!(matches!(shaped("[1e30]"), Broken::Manifest(_)));
        // A hundred tensors of nearly the most: their sum is what counts, not each.
        let many: Vec<String> = (0..100)
            .map(|n| EIGHT.replace("[2,2]", "[0]").replace("\"a\"", &format!("\"a{n}\"")))
            .chain([EIGHT.replace("[2,2]", "[16777216]"), WHOLE.to_owned()])
            .collect();
        assert_eq!(parse(&many.join(","), &[]).unwrap_err(), Broken::Length);
    }

    #[test]
    fn more_tensors_than_a_network_has_are_refused() {
        let many: Vec<String> =
            (0..=MOST_TENSORS).map(|n| WHOLE.replace("\"b\"", &format!("\"b{n}\""))).collect();
        assert_eq!(parse(&many.join(","), &[]).unwrap_err(), Broken::TooMuch("files or tensors"));
    }

    #[test]
    fn codings_names_and_numbers_that_nobody_meant_are_refused() {
        let odd = Broken::Odd("a".to_owned());
        assert_eq!(parse(&EIGHT.replace("uint8", "uint16"), &[0; 8]).unwrap_err(), odd);
        assert_eq!(parse(&EIGHT.replace("float32", "int32"), &[0; 4]).unwrap_err(), odd);
        assert_eq!(parse(&format!("{EIGHT},{EIGHT}"), &[0; 8]).unwrap_err(), odd);
        let infinite = Broken::NotFinite("a".to_owned());
        assert_eq!(parse(&EIGHT.replace("0.5", "1e300"), &[255; 4]).unwrap_err(), infinite);
        let none = Broken::NotFinite("b".to_owned());
        assert_eq!(parse(WHOLE, &f32::NAN.to_le_bytes()).unwrap_err(), none);
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        for text in ["", "{}", "[]", "null", "[{}]", "[[", r#"[{"paths":[],"weights":[]},{}]"#] {
            assert!(matches!(Weights::parse(text.as_bytes(), &[]), Err(Broken::Manifest(_))), "{text}");
        }
        let two = r#"[{"paths":["a","b"],"weights":[]}]"#;
        assert_eq!(Weights::parse(two.as_bytes(), &[]).unwrap_err(), Broken::TooMuch("files or tensors"));
        let deep = "[".repeat(100_000);
        assert!(matches!(Weights::parse(deep.as_bytes(), &[]), Err(Broken::Manifest(_))));
        let long = vec![b' '; MOST_MANIFEST as usize + 1];
        assert_eq!(Weights::parse(&long, &[]).unwrap_err(), Broken::TooMuch("bytes"));
    }

    proptest! {
        #[test]
        fn no_manifest_and_no_numbers_make_it_panic(
            at in any::<prop::sample::Index>(), byte in any::<u8>(), numbers in prop::collection::vec(any::<u8>(), 0..12),
        ) {
            let mut text = manifest(&format!("{EIGHT},{WHOLE}")).into_bytes();
            let at = at.index(text.len());
            text[at] = byte;
            if let Ok(weights) = Weights::parse(&text, &numbers) {
                // Whatever was read came out of these bytes, and nothing else did.
                let read = weights.0.values().map(|t| t.values.len()).sum::<usize>();
                prop_assert!(read <= numbers.len(), "{read} of {}", numbers.len());
            }
        }
    }
}
