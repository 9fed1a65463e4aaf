//! A network's tensors by name, as plain numbers: what imports, averages and exports work on.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};

/// One tensor: shape and row-major values.
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

/// Every float tensor of a network by its path, such as `blocks.3.project.conv.weight`; batch
/// normalisation's running statistics among them.
pub type Parameters = BTreeMap<String, Values>;

/// A running statistic of batch normalisation: measured, not learned.
pub fn is_statistic(path: &str) -> bool {
    path.ends_with("running_mean") || path.ends_with("running_var")
}

/// Reads all tensors of `module`.
pub fn take<M: Module>(module: &M) -> Parameters {
    struct Take {
        path: Vec<String>,
        found: Parameters,
    }
    impl ModuleVisitor for Take {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let tensor = param.val();
            let shape = tensor.dims().to_vec();
            // All parameters here are float32, so the conversion cannot fail.
            let values = tensor.into_data().convert::<f32>().try_into_vec().unwrap_or_default();
            self.found.insert(self.path.join("."), Values { shape, values });
        }
    }
    let mut take = Take { path: vec![], found: BTreeMap::new() };
    // The snapshot's running statistics include the last batch.
    module.valid().visit(&mut take);
    take.found
}

/// `module` with its tensors replaced by those of the same path and shape; others stay. Gives the
/// paths that stayed and the names in `parameters` that found no place.
pub fn put<M: Module>(module: M, parameters: &Parameters) -> (M, Vec<String>, Vec<String>) {
    struct Put<'a> {
        path: Vec<String>,
        source: &'a Parameters,
        used: Vec<String>,
        missing: Vec<String>,
    }
    impl ModuleMapper for Put<'_> {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.pop();
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let path = self.path.join(".");
            let (id, tensor, mapper) = param.consume();
            let found = self.source.get(&path).filter(|v| v.shape == tensor.dims());
            let tensor = match found {
                Some(values) => {
                    let data = TensorData::new(values.values.clone(), values.shape.clone());
                    let new = Tensor::from_data(data, &tensor.device());
                    self.used.push(path);
                    if tensor.is_require_grad() { new.require_grad() } else { new }
                }
                None => {
                    self.missing.push(path);
                    tensor
                }
            };
            Param::from_mapped_value(id, tensor, mapper)
        }
    }
    let mut put = Put { path: vec![], source: parameters, used: vec![], missing: vec![] };
    let module = module.map(&mut put);
    let surplus = parameters.keys().filter(|name| !put.used.contains(name)).cloned().collect();
    (module, put.missing, surplus)
}

/// Adds `other` to `sum`, value by value; false, and `sum` is of no use, unless both have tensors of
/// the same names and shapes.
pub fn add(sum: &mut Parameters, other: &Parameters) -> bool {
    sum.len() == other.len()
        && sum.iter_mut().all(|(name, sum)| {
            let Some(other) = other.get(name).filter(|other| other.shape == sum.shape) else {
                return false;
            };
            sum.values.iter_mut().zip(&other.values).for_each(|(sum, value)| *sum += value);
            true
        })
}

/// Divides every value, as of a sum whose mean is wanted.
pub fn divide(sum: &mut Parameters, count: usize) {
    for tensor in sum.values_mut() {
        tensor.values.iter_mut().for_each(|value| *value /= count as f32);
    }
}
