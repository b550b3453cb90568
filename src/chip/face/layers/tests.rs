//! Layers against sums done by hand, and against the plainest loop there is.

use super::*;
use proptest::prelude::*;

fn plane(height: usize, width: usize, channels: usize, values: &[f32]) -> Plane {
    assert_eq!(values.len(), height * width * channels);
    Plane { height, width, channels, values: Zeroizing::new(values.to_vec()) }
}

#[test]
fn a_convolution_gives_what_was_summed_by_hand() {
    let input = plane(3, 3, 1, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
    let filter = Filter::new(2, 1, 1, &[1.0, 10.0, 100.0, 1000.0]).unwrap();
    let out = filter.apply(&input, 1, 0);
    assert_eq!((out.height, out.width, out.channels), (2, 2, 1));
    assert_eq!(*out.values, [5421.0, 6532.0, 8754.0, 9865.0]);
    // With zeros around it and every second step: corners see one value, edges two.
    let padded = filter.apply(&input, 2, 1);
    assert_eq!(*padded.values, [1000.0, 3200.0, 7040.0, 9865.0]);
}

#[test]
fn channels_and_outputs_are_taken_in_the_order_of_tensorflow() {
    // One point of two channels, three outputs: weights are inputs times outputs.
    let input = plane(1, 1, 2, &[2.0, 3.0]);
    let filter = Filter::new(1, 2, 3, &[1.0, 10.0, 100.0, 7.0, 70.0, 700.0]).unwrap();
    assert_eq!(*filter.apply(&input, 1, 0).values, [23.0, 230.0, 2300.0]);
    let each = Depthwise::new(1, 2, vec![5.0, 7.0]).unwrap();
    assert_eq!(*each.apply(&input, 0).values, [10.0, 21.0]);
}

#[test]
fn a_depthwise_convolution_sees_zeros_outside() {
    let input = plane(2, 2, 1, &[1.0, 2.0, 3.0, 4.0]);
    let weights = vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0];
    let out = Depthwise::new(3, 1, weights).unwrap().apply(&input, 1);
    assert_eq!(*out.values, [77.0, 67.0, 47.0, 37.0]);
}

#[test]
fn pools_hang_over_the_edge_only_where_they_are_told_to() {
    let input = plane(3, 3, 1, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, -9.0]);
    assert_eq!(*max_pool(&input, 2, 2, false).values, [5.0]);
    assert_eq!(*max_pool(&input, 2, 2, true).values, [5.0, 6.0, 8.0, -9.0]);
    assert_eq!(*max_pool(&input, 2, 1, true).values, [5.0, 6.0, 6.0, 8.0, 8.0, 6.0, 8.0, 8.0, -9.0]);
    assert_eq!(*mean_pool(&input, 2, 2).values, [3.0]);
}

#[test]
fn weights_of_another_number_make_no_layer() {
    assert!(Filter::new(3, 2, 4, &[0.0; 71]).is_none());
    assert!(Filter::new(3, 2, 4, &[0.0; 72]).is_some());
    assert!(Filter::new(1, 0, 4, &[]).is_none());
    assert!(Depthwise::new(3, 4, vec![0.0; 35]).is_none());
}

/// What a convolution is, straight from its definition.
fn plainly(
    input: &Plane,
    weights: &[f32],
    size: usize,
    outputs: usize,
    stride: usize,
    pad: usize,
) -> Vec<f32> {
    let value = |y: usize, x: usize, c: usize| {
        let (y, x) = (y.checked_sub(pad)?, x.checked_sub(pad)?);
        (y < input.height && x < input.width)
            .then(|| input.values[(y * input.width + x) * input.channels + c])
    };
    let mut all = Vec::new();
    for top in (0..=(input.height + 2 * pad - size)).step_by(stride) {
        for left in (0..=(input.width + 2 * pad - size)).step_by(stride) {
            for output in 0..outputs {
                let mut sum = 0.0;
                for dy in 0..size {
                    for dx in 0..size {
                        for c in 0..input.channels {
                            let weight = weights[((dy * size + dx) * input.channels + c) * outputs + output];
                            sum += value(top + dy, left + dx, c).unwrap_or(0.0) * weight;
                        }
                    }
                }
                all.push(sum);
            }
        }
    }
    all
}

proptest! {
    #[test]
    fn the_convolution_in_blocks_is_the_convolution(
        (height, width) in (1..12_usize, 1..12_usize),
        (channels, outputs) in (1..5_usize, 1..20_usize),
        (size, stride, pad) in (1..5_usize, 1..4_usize, 0..3_usize),
        seed in any::<u32>(),
    ) {
        prop_assume!(height + 2 * pad >= size && width + 2 * pad >= size);
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as f32 - 128.0
        };
        // Whole numbers this small add up exactly: any difference is a mistake.
        let values: Vec<f32> = (0..height * width * channels).map(|_| next()).collect();
        let weights: Vec<f32> = (0..size * size * channels * outputs).map(|_| next()).collect();
        let input = plane(height, width, channels, &values);
        let out = Filter::new(size, channels, outputs, &weights).unwrap().apply(&input, stride, pad);
        prop_assert_eq!(&*out.values, &plainly(&input, &weights, size, outputs, stride, pad));

        let apart: Vec<f32> = (0..size * size * channels).map(|_| next()).collect();
        let out = Depthwise::new(size, channels, apart.clone()).unwrap().apply(&input, pad);
        // The same as a convolution whose weights between different channels are nothing.
        let mut full = vec![0.0; size * size * channels * channels];
        for (nth, weight) in apart.iter().enumerate() {
            full[nth * channels + nth % channels] = *weight;
        }
        prop_assert_eq!(&*out.values, &plainly(&input, &full, size, channels, 1, pad));
    }
}
