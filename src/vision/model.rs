//! ONNX files: where they come from, their hashes and metadata, and plans to run them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use prost::Message;
use sha2::{Digest, Sha256};
use tract_onnx::pb::{ModelProto, StringStringEntryProto, TensorShapeProto};
use tract_onnx::prelude::*;

use super::VisionError;

/// Metadata key of the digest that `seal` writes.
const DIGEST: &str = "maskgate.digest";

/// Which model is in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The file, or `built-in detector`.
    pub name: String,
    /// SHA-256 of the whole file, in hex.
    pub sha256: String,
}

/// A model file read and checked, not yet planned for an input size.
pub struct ModelFile {
    origin: Origin,
    proto: ModelProto,
}

impl ModelFile {
    /// The file at `path`, or the built-in bytes where `path` is empty. `pinned` is the SHA-256
    /// it must have, empty for any.
    pub fn open(
        path: &Path,
        pinned: &str,
        built_in: (&'static str, &'static [u8]),
    ) -> Result<Self, VisionError> {
        if path.as_os_str().is_empty() {
            return Self::parse(format!("built-in {}", built_in.0), built_in.1, pinned);
        }
        let unreadable = |source| VisionError::Unreadable { path: path.into(), source };
        // A named pipe would wait for whoever writes into it, and a device need not end.
        if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
            return Err(unreadable(std::io::Error::other("it is not a plain file")));
        }
        let bytes = std::fs::read(path).map_err(unreadable)?;
        Self::parse(path.display().to_string(), &bytes, pinned)
    }

    /// Checks hash and digest of `bytes` and parses them.
    pub fn parse(name: String, bytes: &[u8], pinned: &str) -> Result<Self, VisionError> {
        let sha256 = hex(&Sha256::digest(bytes));
        if !pinned.is_empty() && !pinned.eq_ignore_ascii_case(&sha256) {
            return Err(VisionError::WrongHash {
                model: name,
                found: sha256,
                pinned: pinned.into(),
            });
        }
        let proto = ModelProto::decode(bytes).map_err(|error| VisionError::NotAModel {
            model: name.clone(),
            reason: error.to_string(),
        })?;
        if proto.graph.is_none() {
            let reason = "it holds no graph".into();
            return Err(VisionError::NotAModel { model: name, reason });
        }
        let file = Self { origin: Origin { name, sha256 }, proto };
        match file.metadata(DIGEST) {
            Some(written) if written != digest(&file.proto) => {
                Err(VisionError::Damaged { model: file.origin.name })
            }
            _ => Ok(file),
        }
    }

    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The file as it was parsed.
    pub fn proto(&self) -> &ModelProto {
        &self.proto
    }

    /// The value of a `metadata_props` key.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.proto.metadata_props.iter().find(|entry| entry.key == key).map(|e| e.value.as_str())
    }

    /// Names of the outputs, in order.
    pub fn outputs(&self) -> Vec<&str> {
        let graph = self.proto.graph.as_ref();
        graph.map_or(vec![], |graph| graph.output.iter().map(|o| o.name.as_str()).collect())
    }

    /// Sizes of the first input, `None` where the file leaves them open. Initialisers that old
    /// files list among their inputs do not count.
    pub fn input(&self) -> Vec<Option<usize>> {
        use tract_onnx::pb::tensor_shape_proto::dimension::Value;
        use tract_onnx::pb::type_proto;
        let Some(graph) = &self.proto.graph else { return vec![] };
        let is_weight = |name: &str| graph.initializer.iter().any(|tensor| tensor.name == name);
        let input = graph.input.iter().find(|input| !is_weight(&input.name));
        let shape: Option<&TensorShapeProto> =
            input.and_then(|input| input.r#type.as_ref()).and_then(|kind| match &kind.value {
                Some(type_proto::Value::TensorType(tensor)) => tensor.shape.as_ref(),
                _ => None,
            });
        let dims = shape.map_or(&[][..], |shape| &shape.dim);
        dims.iter()
            .map(|dim| match dim.value {
                Some(Value::DimValue(size)) if size > 0 => usize::try_from(size).ok(),
                _ => None,
            })
            .collect()
    }

    /// A plan for an input of `shape`, float32.
    pub fn plan(&self, shape: [usize; 4]) -> Result<Plan, VisionError> {
        let made = guarded(|| {
            tract_onnx::onnx()
                .with_ignore_output_shapes(true)
                .with_ignore_value_info(true)
                .model_for_proto_model(&self.proto)
                .and_then(|model| model.with_input_fact(0, f32::fact(shape).into()))
                .and_then(|model| model.into_optimized())
                .and_then(|model| model.into_runnable())
        });
        let plan = made.map_err(|error| VisionError::NotAModel {
            model: self.origin.name.clone(),
            reason: format!("{error:#}"),
        })?;
        Ok(Plan { plan, shape, name: self.origin.name.clone() })
    }
}

/// A model ready for inputs of one shape.
pub struct Plan {
    plan: Arc<TypedRunnableModel>,
    shape: [usize; 4],
    name: String,
}

/// One output: its shape and its values, row by row.
pub struct Output {
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

impl Plan {
    /// Batch, channels, height, width of the input.
    pub fn shape(&self) -> [usize; 4] {
        self.shape
    }

    /// Runs once. `input` holds as many values as the shape says.
    pub fn run(&self, input: &[f32]) -> Result<Vec<Output>, VisionError> {
        let fail = |error: TractError| VisionError::Inference {
            model: self.name.clone(),
            reason: format!("{error:#}"),
        };
        let tensor = Tensor::from_shape(&self.shape, input).map_err(fail)?;
        let outputs = guarded(|| self.plan.run(tvec!(tensor.into()))).map_err(fail)?;
        outputs
            .iter()
            .map(|value| {
                let view = value.try_as_plain_ram().map_err(fail)?;
                let values = view.as_slice::<f32>().map_err(fail)?.to_vec();
                Ok(Output { shape: value.shape().to_vec(), values })
            })
            .collect()
    }
}

/// What tract makes of a network: on some that hang together badly it panics instead of telling so.
fn guarded<T>(work: impl FnOnce() -> TractResult<T>) -> TractResult<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(TractError::msg(
            "the runtime (tract) cannot digest it; what it stumbled on is told above",
        ))
    })
}

/// Writes a digest of the rest of the model into its metadata, so that a damaged copy is noticed
/// when it is loaded, and gives the bytes of the file.
pub fn seal(mut proto: ModelProto) -> Vec<u8> {
    let value = digest(&proto);
    proto.metadata_props.retain(|entry| entry.key != DIGEST);
    proto.metadata_props.push(StringStringEntryProto { key: DIGEST.into(), value });
    proto.encode_to_vec()
}

fn digest(proto: &ModelProto) -> String {
    let mut bare = proto.clone();
    bare.metadata_props.retain(|entry| entry.key != DIGEST);
    hex(&Sha256::digest(bare.encode_to_vec()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::config;
    use crate::vision::{Classifier, Detector};

    fn path(name: &str) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models").join(name)
    }

    fn bytes(name: &str) -> Vec<u8> {
        std::fs::read(path(name)).expect("the model is part of the project")
    }

    #[test]
    fn one_changed_byte_anywhere_in_the_weights_is_noticed_without_a_pinned_hash() {
        for name in ["detector.onnx", "classifier.onnx"] {
            let good = bytes(name);
            for part in 1..20 {
                let mut bad = good.clone();
                let at = bad.len() * part / 20;
                bad[at] ^= 0x10;
                let error = ModelFile::parse(name.into(), &bad, "").err();
                assert!(
                    matches!(
                        error,
                        Some(VisionError::Damaged { .. } | VisionError::NotAModel { .. })
                    ),
                    "{name}, byte {at}: {error:?}"
                );
            }
        }
    }

    #[test]
    fn a_file_of_another_hash_than_the_pinned_one_is_refused_and_both_are_named() {
        let good = bytes("classifier.onnx");
        let hash = hex(&Sha256::digest(&good));
        assert!(ModelFile::parse("c.onnx".into(), &good, &hash.to_uppercase()).is_ok());
        let pinned = "0".repeat(64);
        let error = ModelFile::parse("c.onnx".into(), &good, &pinned).err().map(|e| e.to_string());
        let error = error.unwrap_or_default();
        assert!(error.contains("c.onnx") && error.contains(&hash) && error.contains(&pinned));
    }

    #[test]
    fn a_detector_is_no_classifier_and_the_other_way_round() {
        let config =
            config::Classifier { model: path("detector.onnx"), ..config::Classifier::default() };
        let error = Classifier::load(&config).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(error.contains("not a mask classifier"), "{error}");
        let config =
            config::Detector { model: path("classifier.onnx"), ..config::Detector::default() };
        let error = Detector::load(&config).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(error.contains("not a face detector"), "{error}");
    }

    #[test]
    fn a_network_that_makes_the_runtime_panic_is_refused_as_any_other() {
        let mut proto = ModelProto::decode(&*bytes("detector.onnx")).expect("it is one");
        proto.metadata_props.retain(|entry| entry.key != DIGEST);
        let graph = proto.graph.as_mut().expect("it has one");
        let mut more = graph.output[0].clone();
        more.name = "made by no node".into();
        graph.output.push(more);
        let file = ModelFile::parse("gone.onnx".into(), &proto.encode_to_vec(), "");
        let planned = file.and_then(|file| file.plan([1, 3, 64, 96]).map(|_| ()));
        let error = planned.expect_err("an output is missing").to_string();
        assert!(error.contains("gone.onnx"), "{error}");
        let told = guarded(|| -> TractResult<()> { panic!("in a test") }).expect_err("it panicked");
        assert!(told.to_string().contains("cannot digest it"), "{told}");
    }

    #[test]
    fn what_is_no_plain_file_is_not_waited_for() {
        let error = ModelFile::open(Path::new("/dev/zero"), "", ("", &[])).err();
        let error = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("/dev/zero") && error.contains("not a plain file"), "{error}");
    }

    #[test]
    fn what_is_no_onnx_file_is_said_to_be_none() {
        for junk in [&b""[..], b"hello", &[0xff; 64]] {
            let error = ModelFile::parse("junk".into(), junk, "").err();
            assert!(matches!(error, Some(VisionError::NotAModel { .. })), "{error:?}");
        }
    }
}
