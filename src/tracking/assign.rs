/// Pairs rows with columns so that the sum of costs is smallest. `cost(row, column)` is `None`
/// where the two cannot belong together; leaving a row alone costs `alone`, so a pair is made
/// only where it is worth it. Gives the column of each row.
///
/// The Hungarian method with potentials (Kuhn 1955, Munkres 1957; in the O(rows² · columns) form
/// of Jonker and Volgenant 1987).
pub(super) fn assign(
    rows: usize,
    columns: usize,
    alone: f32,
    cost: impl Fn(usize, usize) -> Option<f32>,
) -> Vec<Option<usize>> {
    // Each row has a column of its own for being left alone, so there is always a way out.
    let total = columns + rows;
    let forbidden = alone * 4.0 + 1.0;
    let cost = |row: usize, column: usize| {
        if column < columns {
            cost(row, column).unwrap_or(forbidden)
        } else if column - columns == row {
            alone
        } else {
            forbidden
        }
    };

    // Rows and columns count from 1 here; column 0 holds the row that looks for a place.
    let mut row_potential = vec![0.0_f32; rows + 1];
    let mut column_potential = vec![0.0_f32; total + 1];
    let mut row_of = vec![0_usize; total + 1];
    for row in 1..=rows {
        row_of[0] = row;
        let mut column = 0;
        let mut slack = vec![f32::INFINITY; total + 1];
        let mut previous = vec![0_usize; total + 1];
        let mut visited = vec![false; total + 1];
        while row_of[column] != 0 {
            visited[column] = true;
            let current = row_of[column];
            let mut step = f32::INFINITY;
            let mut next = 0;
            for j in 1..=total {
                if visited[j] {
                    continue;
                }
                let reduced =
                    cost(current - 1, j - 1) - row_potential[current] - column_potential[j];
                if reduced < slack[j] {
                    slack[j] = reduced;
                    previous[j] = column;
                }
                if slack[j] < step {
                    step = slack[j];
                    next = j;
                }
            }
            for j in 0..=total {
                if visited[j] {
                    row_potential[row_of[j]] += step;
                    column_potential[j] -= step;
                } else {
                    slack[j] -= step;
                }
            }
            column = next;
        }
        while column != 0 {
            row_of[column] = row_of[previous[column]];
            column = previous[column];
        }
    }

    let mut result = vec![None; rows];
    for (column, &row) in row_of.iter().enumerate().skip(1).take(columns) {
        if row > 0 && cost(row - 1, column - 1) < forbidden {
            result[row - 1] = Some(column - 1);
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALONE: f32 = 10.0;

    fn sum(costs: &[Vec<Option<f32>>], result: &[Option<usize>]) -> f32 {
        let pair = |(row, column): (usize, &Option<usize>)| match column {
            Some(column) => costs[row][*column].expect("a forbidden pair was made"),
            None => ALONE,
        };
        result.iter().enumerate().map(pair).sum()
    }

    /// Every way to pair, tried one after another.
    fn least(costs: &[Vec<Option<f32>>], row: usize, used: &mut Vec<bool>) -> f32 {
        if row == costs.len() {
            return 0.0;
        }
        let mut best = ALONE + least(costs, row + 1, used);
        for column in 0..used.len() {
            if let (false, Some(cost)) = (used[column], costs[row][column]) {
                used[column] = true;
                best = best.min(cost + least(costs, row + 1, used));
                used[column] = false;
            }
        }
        best
    }

    proptest! {
        #[test]
        fn no_other_pairing_is_cheaper(
            columns in 0_usize..5,
            cells in prop::collection::vec(prop::option::weighted(0.8, 0.0_f32..9.0), 25),
            rows in 0_usize..5,
        ) {
            let costs: Vec<Vec<_>> =
                (0..rows).map(|r| (0..columns).map(|c| cells[r * 5 + c]).collect()).collect();
            let result = assign(rows, columns, ALONE, |row, column| costs[row][column]);
            let mut taken: Vec<_> = result.iter().flatten().collect();
            taken.sort();
            taken.dedup();
            prop_assert_eq!(taken.len(), result.iter().flatten().count());
            let best = least(&costs, 0, &mut vec![false; columns]);
            prop_assert!((sum(&costs, &result) - best).abs() < 1e-3);
        }
    }
}
