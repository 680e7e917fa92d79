//! Record ids: 15 characters that matter in case, 18 with the checksum that lets them be compared without case
//! (sheet section 2).

const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
const BASE62: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The three characters that turn a 15-character id into one of 18.
#[must_use]
pub fn checksum(first15: &str) -> String {
    first15
        .as_bytes()
        .chunks(5)
        .map(|group| {
            let bits = group
                .iter()
                .enumerate()
                .fold(0, |bits, (i, c)| bits | usize::from(c.is_ascii_uppercase()) << i);
            char::from(ALPHABET[bits])
        })
        .collect()
}

/// The 18-character form of a 15- or 18-character id; nothing when it is neither, or its checksum is wrong.
///
/// An 18-character id in the wrong case is repaired by its checksum, as Salesforce does.
#[must_use]
pub fn normalise(id: &str) -> Option<String> {
    if !id.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    match id.len() {
        15 => Some(format!("{id}{}", checksum(id))),
        18 => {
            let (head, sum) = id.split_at(15);
            let sum = sum.to_ascii_uppercase();
            let mut fixed = String::with_capacity(18);
            for (group, mark) in head.as_bytes().chunks(5).zip(sum.bytes()) {
                let bits = ALPHABET.iter().position(|c| *c == mark)?;
                fixed.extend(group.iter().enumerate().map(|(i, c)| {
                    let upper = bits >> i & 1 == 1;
                    char::from(if upper { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
                }));
            }
            (checksum(&fixed) == sum).then(|| fixed + &sum)
        }
        _ => None,
    }
}

/// Makes the `n`-th id of a kind of record; `prefix` is its three-character key prefix.
#[must_use]
pub(crate) fn mint(prefix: &str, n: u64) -> String {
    let mut tail = [b'0'; 9];
    let mut rest = n;
    for place in tail.iter_mut().rev() {
        *place = BASE62[usize::try_from(rest % 62).expect("below 62")];
        rest /= 62;
    }
    let tail = std::str::from_utf8(&tail).expect("ASCII");
    let first15 = format!("{prefix}gK0{tail}");
    let sum = checksum(&first15);
    first15 + &sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_marks_the_capitals() {
        // Published examples of the algorithm.
        assert_eq!(normalise("0014000000gn6Ya").unwrap(), "0014000000gn6YaAAI");
        assert_eq!(normalise("001A0000006Vm9r").unwrap(), "001A0000006Vm9rIAC");
    }

    #[test]
    fn wrong_case_is_repaired_by_the_checksum_and_a_wrong_checksum_is_refused() {
        assert_eq!(normalise("001a0000006vm9rIAC").unwrap(), "001A0000006Vm9rIAC");
        assert_eq!(normalise("001A0000006Vm9rIAD"), None);
        assert_eq!(normalise("001A0000006Vm9"), None);
        assert_eq!(normalise("001A0000006V-9r"), None);
    }

    #[test]
    fn minted_ids_are_distinct_ordered_and_valid() {
        let ids: Vec<String> = (0..5_000).map(|n| mint("500", n)).collect();
        assert!(ids.iter().all(|id| id.len() == 18 && normalise(id).as_ref() == Some(id)));
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
