//! Many rows in few statements. Each statement is a message to the connection's thread and back, which costs more than
//! the row; and each text of a statement is prepared once and kept, so there must be few texts.

use std::sync::Arc;

/// Rows per statement. A batch is cut into these, so that four statements serve every size.
const SIZES: [usize; 4] = [64, 16, 4, 1];

/// The same insert for each number of rows.
pub(super) struct Inserts([Arc<str>; SIZES.len()]);

impl Inserts {
    /// `head` ends before VALUES, `tuple` is one row of it.
    pub(super) fn new(head: &'static str, tuple: &'static str) -> Self {
        Self(SIZES.map(|n| format!("{head} VALUES {}", vec![tuple; n].join(",")).into()))
    }

    /// Cuts rows into pieces, each with its statement.
    pub(super) fn cut<'a, T>(&'a self, mut rows: &'a [T]) -> impl Iterator<Item = (Arc<str>, &'a [T])> {
        std::iter::from_fn(move || {
            let which = SIZES.iter().position(|n| *n <= rows.len())?;
            let (now, later) = rows.split_at(SIZES[which]);
            rows = later;
            Some((Arc::clone(&self.0[which]), now))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_cut_into_few_pieces_in_order() {
        let inserts = Inserts::new("INSERT INTO t (a)", "(?)");
        let rows: Vec<u32> = (0..167).collect();
        let pieces: Vec<_> = inserts.cut(&rows).collect();
        let sizes: Vec<_> = pieces.iter().map(|(_, rows)| rows.len()).collect();
        assert_eq!(sizes, [64, 64, 16, 16, 4, 1, 1, 1]);
        assert!(pieces.iter().flat_map(|(_, rows)| rows.iter()).eq(&rows));
        for (sql, rows) in pieces {
            assert_eq!(sql.matches('?').count(), rows.len());
        }
        assert_eq!(inserts.cut::<u32>(&[]).count(), 0);
    }
}
