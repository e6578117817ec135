use super::*;

#[test]
fn small_values_show_digits() {
    // 0.0055 has its first digit at the third place: "0.0055".
    for (largest, wanted) in [
        (0.0, 2),
        (37.0, 2),
        (1.0, 2),
        (0.1, 2),
        (0.055, 3),
        (0.0055, 4),
    ] {
        assert_eq!(decimals(largest), wanted, "{largest}");
    }
    let figure = |rows: &[Vec<f64>]| {
        heatmap(
            rows,
            &[],
            &[],
            ColorScale::Diverging,
            &ChartOptions::default(),
        )
    };
    let svg = figure(&[vec![0.0055, -0.0001, -0.00001]]).unwrap().svg;
    assert!(svg.contains(">0.0055<") && svg.contains(">−0.0001<") && svg.contains(">0.0000<"));
}

#[test]
fn blocks_are_averaged_with_short_ends() {
    let rows = [[1.0, 3.0, 5.0], [1.0, 3.0, 7.0]].map(|row| row.map(Some).to_vec());
    assert_eq!(averaged(&rows, (2, 2)), [[Some(2.0), Some(6.0)]]);
    let rows = [[None, Some(3.0), None], [Some(1.0), None, None]].map(|row| row.to_vec());
    assert_eq!(averaged(&rows, (2, 2)), [[Some(2.0), None]]);
}

#[test]
fn cells_without_a_value_are_empty_and_not_counted() {
    let draw = |rows: &[Vec<Cell>]| {
        let options = ChartOptions::default();
        heatmap_with_gaps(rows, &[], &[], ColorScale::Sequential, &options)
    };
    let svg = draw(&[vec![Some(1.5), None], vec![Some(f64::NAN), Some(2.0)]])
        .unwrap()
        .svg;
    assert!(svg.contains("Grey: NaN or infinite, 1 of 3 cells."));
    assert!(svg.contains("<title>0, 0: 1.5</title>") && !svg.contains("<title>0, 1: "));
    assert_eq!(svg.matches(">NaN</text>").count(), 1);
    // With many cells, as one picture.
    let triangle = |r: usize| (0..40).map(|c| (c > r).then_some(c as f64)).collect();
    let rows: Vec<Vec<Cell>> = (0..40).map(triangle).collect();
    assert!(!draw(&rows).unwrap().svg.contains("Grey"));
    assert!(draw(&[vec![None, None]]).is_err());
}

#[test]
fn a_large_map_is_a_small_picture() {
    let rows: Vec<Vec<f64>> = (0..600)
        .map(|r| (0..700).map(|c| f64::from(r - c)).collect())
        .collect();
    let options = ChartOptions::default();
    let figure = heatmap(&rows, &[], &[], ColorScale::Diverging, &options).unwrap();
    assert!(figure.svg.len() < 60_000, "{}", figure.svg.len());
    assert!(
        figure
            .svg
            .contains("Each pixel is the mean of 4 × 5 cells.")
    );
}

#[test]
fn cells_that_are_not_finite_say_so() {
    let rows = [vec![1.5, f64::NAN], vec![f64::INFINITY, 2.0]];
    let options = ChartOptions::default();
    let figure = heatmap(&rows, &[], &[], ColorScale::Sequential, &options).unwrap();
    assert!(figure.svg.contains("Grey: NaN or infinite, 2 of 4 cells."));
    assert!(figure.svg.contains(">NaN</text>") && figure.svg.contains(">inf</text>"));
}

#[test]
fn ragged_rows_and_missing_names_are_errors() {
    let draw = |rows: &[Vec<f64>], names: &[String]| {
        heatmap(
            rows,
            names,
            &[],
            ColorScale::Sequential,
            &ChartOptions::default(),
        )
    };
    assert!(draw(&[vec![1.0], vec![1.0, 2.0]], &[]).is_err());
    assert!(draw(&[vec![1.0, 2.0]], &["a".into()]).is_err());
    assert!(draw(&[], &[]).is_err());
}
