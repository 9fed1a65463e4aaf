use tract_onnx::prelude::*;

use super::{ConvShape, GraphBuilder, OnnxError, Output, Weights, quantise};

fn run(bytes: &[u8], dims: &[usize], values: Vec<f32>) -> Vec<Vec<f32>> {
    let input = tract_ndarray::ArrayD::from_shape_vec(dims, values).unwrap();
    let model = tract_onnx::onnx()
        .model_for_read(&mut &*bytes)
        .unwrap()
        .into_optimized()
        .unwrap()
        .into_runnable()
        .unwrap();
    let outputs = model.run(tvec!(Tensor::from(input).into())).unwrap();
    let values = |t: &TValue| t.to_plain_array_view::<f32>().unwrap().iter().copied().collect();
    outputs.iter().map(values).collect()
}

#[test]
fn a_convolution_padded_bottom_and_right_only_is_read_back_as_written() {
    let mut graph = GraphBuilder::new("toy", "in", &[1, 1, 2, 2]);
    // The largest is 127, so every whole number is held exactly.
    let kernel = vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 127.0];
    let weights = Weights::new(&[1, 1, 3, 3], kernel).unwrap();
    let shape = ConvShape { stride: [2, 2], pads: [0, 0, 1, 1], groups: 1 };
    let conv = graph.conv("in", &weights, Some(&[0.5]), shape);
    let out = Output { tensor: &conv, name: "out", dims: &[1, 1, 1, 1] };
    let bytes = graph.finish(&[out], &[]).unwrap();
    let got = run(&bytes, &[1, 1, 2, 2], vec![1.0, 10.0, 100.0, 1000.0]);
    // 1*1 + 2*10 + 4*100 + 5*1000 + 0.5
    assert!((got[0][0] - 5421.5).abs() < 1e-2, "{got:?}");
}

#[test]
fn every_operator_survives_a_round_trip() {
    let mut g = GraphBuilder::new("all", "in", &[1, 2, 4, 4]);
    let depthwise = Weights::new(&[2, 1, 1, 1], vec![1.0, -2.0]).unwrap();
    let shape = ConvShape { groups: 2, ..ConvShape::POINTWISE };
    let input = g.input();
    let x = g.conv(&input, &depthwise, None, shape);
    let x = g.relu6(&x);
    let pooled = g.max_pool(&x, [2, 2], [2, 2], [0; 4]);
    let up = g.upsample2(&pooled);
    let sum = g.add(&x, &up);
    let both = g.concat(&[&sum, &x], 1);
    let both = g.relu(&both);
    let mean = g.global_average_pool(&both);
    let flat = g.flatten(&mean);
    let dense = Weights::new(&[3, 4], vec![1.0; 12]).unwrap();
    let logits = g.gemm(&flat, &dense, Some(&[0.0, 1.0, 2.0]));
    let softmax = g.softmax(&logits, -1);
    let half = g.scale(&logits, 0.5);
    let sigmoid = g.sigmoid(&half);
    let rows = g.transpose(&x, &[0, 2, 3, 1]);
    let rows = g.reshape(&rows, &[1, -1, 2]);
    let outputs = [
        Output { tensor: &softmax, name: "softmax", dims: &[1, 3] },
        Output { tensor: &sigmoid, name: "sigmoid", dims: &[1, 3] },
        Output { tensor: &rows, name: "rows", dims: &[1, 16, 2] },
    ];
    let bytes = g.finish(&outputs, &[]).unwrap();
    // First plane 0 to 15 (clipped at 6), second negative times -2.
    let values = (0..16).map(|v| v as f32).chain((0..16).map(|v| -(v as f32) / 4.0)).collect();
    let got = run(&bytes, &[1, 2, 4, 4], values);

    let first: Vec<f32> = (0..16).map(|v| (v as f32).min(6.0)).collect();
    let second: Vec<f32> = (0..16).map(|v| (v as f32 / 2.0).min(6.0)).collect();
    let plane = |p: &[f32]| {
        let largest = |y: usize, x: usize| {
            let (y, x) = (y / 2 * 2, x / 2 * 2);
            [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(dy, dx)| p[(y + dy) * 4 + x + dx])
        };
        let sum: f32 = (0..16)
            .map(|i| p[i] + largest(i / 4, i % 4).into_iter().fold(f32::MIN, f32::max))
            .sum();
        (sum + p.iter().sum::<f32>()) / 16.0
    };
    let logit = plane(&first) + plane(&second);
    let exps = [0.0f32, 1.0, 2.0].map(f32::exp);
    for i in 0..3 {
        assert!((got[0][i] - exps[i] / exps.iter().sum::<f32>()).abs() < 1e-4, "{got:?}");
        let expected = 1.0 / (1.0 + (-(logit + i as f32) / 2.0).exp());
        assert!((got[1][i] - expected).abs() < 1e-4, "{got:?}");
    }
    for i in 0..16 {
        assert!((got[2][2 * i] - first[i]).abs() < 1e-4);
        assert!((got[2][2 * i + 1] - second[i]).abs() < 1e-4);
    }
}

#[test]
fn metadata_and_public_names_are_in_the_file() {
    let mut graph = GraphBuilder::new("toy", "in", &[1, 2]);
    let relu = graph.relu("in");
    let out = Output { tensor: &relu, name: "answer", dims: &[1, 2] };
    let bytes = graph.finish(&[out], &[("maskgate.input", "128")]).unwrap();
    let proto = tract_onnx::onnx().proto_model_for_read(&mut &*bytes).unwrap();
    assert_eq!(proto.metadata_props[0].key, "maskgate.input");
    assert_eq!(proto.metadata_props[0].value, "128");
    assert_eq!(proto.graph.unwrap().node[0].output, ["answer"]);
}

#[test]
fn each_channel_is_quantised_by_its_own_largest_value() {
    let weights = Weights::new(&[3, 2], vec![127.0, -63.5, 0.0127, 0.0001, 0.0, 0.0]).unwrap();
    let (values, scales) = quantise(&weights);
    assert_eq!(values, [127, -64, 127, 1, 0, 0]);
    assert_eq!(scales, [1.0, 0.0001, 1.0]);
}

#[test]
fn what_does_not_fit_is_refused_with_its_numbers() {
    let short = Weights::new(&[2, 2], vec![0.0; 3]).unwrap_err().to_string();
    assert_eq!(short, "weights of shape [2, 2] need 4 values, got 3");
    assert!(matches!(Weights::new(&[1], vec![f32::NAN]), Err(OnnxError::NotFinite { .. })));

    let mut graph = GraphBuilder::new("toy", "in", &[1, 2]);
    let weights = Weights::new(&[1, 2], vec![1.0, 1.0]).unwrap();
    let out = graph.gemm("in", &weights, Some(&[0.0, 0.0]));
    let outputs = [Output { tensor: &out, name: "out", dims: &[1, 1] }];
    assert!(matches!(graph.finish(&outputs, &[]), Err(OnnxError::BiasCount { .. })));

    let graph = GraphBuilder::new("toy", "in", &[1, 2]);
    let outputs = [Output { tensor: "nowhere", name: "out", dims: &[1, 1] }];
    assert!(matches!(graph.finish(&outputs, &[]), Err(OnnxError::UnknownOutput { .. })));
}
