//! Shapes, tensors and stored form of operators that need more than a look at the type.

use empf_ir::graph::Operator;
use empf_ir::{Network, NeuronVersion, Node, Op, Shape};

#[test]
fn channel_attention_takes_odd_kernels_from_3_to_7() {
    let x = Shape::new(8, 5, 4);
    for kernel in 0..10 {
        let op = Op::Seca { kernel };
        let result = op.output_shape(&[x]);
        match [3, 5, 7].contains(&kernel) {
            true => assert_eq!(result, Ok(x)),
            false => assert!(result.unwrap_err().contains(&format!("is {kernel}"))),
        }
    }
    assert_eq!(Network::expected_tensors(&Op::Seca { kernel: 5 }, x, x, 4), [("weight", vec![5])]);
}

#[test]
fn maximum_pooling_is_shaped_as_a_convolution() {
    let shape = |kernel, stride, padding| {
        Op::MaxPool { kernel, stride, padding }.output_shape(&[Shape::new(64, 112, 111)])
    };
    assert_eq!(shape(3, 2, 1), Ok(Shape::new(64, 56, 56)));
    assert_eq!(shape(2, 2, 0), Ok(Shape::new(64, 56, 55)));
    assert!(shape(2, 1, 2).is_err() && shape(120, 1, 0).is_err());
}

#[test]
fn operators_are_stored_by_name() {
    let ops = [
        (Op::Seca { kernel: 3 }, r#""op":"seca","kernel":3"#),
        (
            Op::MaxPool { kernel: 3, stride: 2, padding: 1 },
            r#""op":"max_pool","kernel":3,"stride":2,"padding":1"#,
        ),
        (Op::Neuron { version: NeuronVersion::II, eps: 0.5 }, r#""op":"neuron","version":"II","eps":0.5"#),
        (Op::GlobalAvgPool, r#""op":"global_avg_pool""#),
    ];
    for (op, text) in ops {
        let node = Node { name: "n".into(), inputs: vec!["a".into(), "b".into()], op };
        let text = format!(r#"{{"name":"n","inputs":["a","b"],{text}}}"#);
        assert_eq!(serde_json::to_string(&node).unwrap(), text);
        assert_eq!(serde_json::from_str::<Node<Op>>(&text).unwrap(), node);
    }
}
