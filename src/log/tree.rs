//! The Merkle tree of RFC 6962 section 2.1 (RFC 9162 section 2.1) over SHA-256: roots, inclusion and consistency
//! proofs, and their checks. Pure functions; where the hashes lie is the business of a [`Subtrees`].

use crate::fault::Outcome;

/// A node or leaf hash.
pub type Hash = [u8; 32];

/// A source of roots of complete subtrees.
pub trait Subtrees {
    /// The root of the complete subtree of `2^level` leaves that begins at leaf `index << level`.
    ///
    /// # Errors
    /// A fault where the source does not hold those leaves or cannot be read.
    fn subtree(&self, level: u8, index: u64) -> Outcome<Hash>;
}

/// SHA-256(0x00 ‖ data): the hash of a leaf.
pub fn leaf_hash(data: &[u8]) -> Hash {
    let mut hasher = openssl::sha::Sha256::new();
    hasher.update(&[0]);
    hasher.update(data);
    hasher.finish()
}

/// SHA-256(0x01 ‖ left ‖ right): the hash of an inner node.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut joined = [1u8; 65];
    joined[1..33].copy_from_slice(left);
    joined[33..].copy_from_slice(right);
    openssl::sha::sha256(&joined)
}

/// The root of the first `size` leaves.
///
/// # Errors
/// Whatever the source fails with.
pub fn root(source: &impl Subtrees, size: u64) -> Outcome<Hash> {
    if size == 0 {
        return Ok(openssl::sha::sha256(b""));
    }
    range_root(source, 0, size)
}

/// The inclusion proof of leaf `index` in the tree of the first `size` leaves, leaf's sibling first.
/// Empty where `index >= size`.
///
/// # Errors
/// Whatever the source fails with.
pub fn inclusion_proof(source: &impl Subtrees, index: u64, size: u64) -> Outcome<Vec<Hash>> {
    let mut path = Vec::new();
    let (mut low, mut high) = (0, size);
    while index < size && high - low > 1 {
        let middle = low + split(high - low);
        if index < middle {
            path.push(range_root(source, middle, high)?);
            high = middle;
        } else {
            path.push(range_root(source, low, middle)?);
            low = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The consistency proof from the first `old` leaves to the first `new` (RFC 6962 section 2.1.2).
/// Empty where `old` is 0 or not less than `new`.
///
/// # Errors
/// Whatever the source fails with.
pub fn consistency_proof(source: &impl Subtrees, old: u64, new: u64) -> Outcome<Vec<Hash>> {
    let mut path = Vec::new();
    if old == 0 || old >= new {
        return Ok(path);
    }
    let (mut low, mut high) = (0, new);
    while old != high {
        let middle = low + split(high - low);
        if old <= middle {
            path.push(range_root(source, middle, high)?);
            high = middle;
        } else {
            path.push(range_root(source, low, middle)?);
            low = middle;
        }
    }
    if low != 0 {
        path.push(range_root(source, low, high)?);
    }
    path.reverse();
    Ok(path)
}

/// The root that an inclusion proof leads to (RFC 9162 section 2.1.3.2); none where the proof's length does not
/// fit the index and size.
pub fn root_of_inclusion(leaf: &Hash, index: u64, size: u64, path: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut position, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in path {
        if last == 0 {
            return None;
        }
        if position & 1 == 1 || position == last {
            hash = node_hash(sibling, &hash);
            while position & 1 == 0 && position != 0 {
                position >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        position >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(hash)
}

/// Whether `path` proves that the tree of `new` leaves with `new_root` only adds to the tree of `old` leaves with
/// `old_root` (RFC 9162 section 2.1.4.2). An empty old tree is consistent with everything, by an empty path only.
pub fn is_consistent(old: u64, new: u64, old_root: &Hash, new_root: &Hash, path: &[Hash]) -> bool {
    if old > new {
        return false;
    }
    if old == new {
        return path.is_empty() && old_root == new_root;
    }
    if old == 0 {
        return path.is_empty() && *old_root == openssl::sha::sha256(b"");
    }
    let mut rest = path.iter();
    let start = if old.is_power_of_two() { Some(old_root) } else { rest.next() };
    let Some(start) = start else { return false };
    let (mut position, mut last) = (old - 1, new - 1);
    while position & 1 == 1 {
        position >>= 1;
        last >>= 1;
    }
    let (mut from_old, mut from_new) = (*start, *start);
    for sibling in rest {
        if last == 0 {
            return false;
        }
        if position & 1 == 1 || position == last {
            from_old = node_hash(sibling, &from_old);
            from_new = node_hash(sibling, &from_new);
            while position & 1 == 0 && position != 0 {
                position >>= 1;
                last >>= 1;
            }
        } else {
            from_new = node_hash(&from_new, sibling);
        }
        position >>= 1;
        last >>= 1;
    }
    last == 0 && from_old == *old_root && from_new == *new_root
}

/// The root of leaves `low..high`, where `low` is a multiple of the largest power of two not above the width.
fn range_root(source: &impl Subtrees, low: u64, high: u64) -> Outcome<Hash> {
    let width = high - low;
    if width.is_power_of_two() {
        let level = width.trailing_zeros() as u8;
        return source.subtree(level, low >> level);
    }
    let middle = low + split(width);
    Ok(node_hash(&range_root(source, low, middle)?, &range_root(source, middle, high)?))
}

/// The largest power of two below `width`, which is at least 2.
fn split(width: u64) -> u64 {
    1 << (63 - (width - 1).leading_zeros())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Leaf hashes in memory.
    pub(crate) struct Leaves(pub(crate) Vec<Hash>);

    impl Subtrees for Leaves {
        fn subtree(&self, level: u8, index: u64) -> Outcome<Hash> {
            let width = 1usize << level;
            let mut row = self.0[index as usize * width..(index as usize + 1) * width].to_vec();
            while row.len() > 1 {
                row = row.chunks(2).map(|pair| node_hash(&pair[0], &pair[1])).collect();
            }
            Ok(row[0])
        }
    }

    fn leaves(count: u64) -> Leaves {
        Leaves((0..count).map(|i| leaf_hash(&i.to_be_bytes())).collect())
    }

    /// RFC 6962 section 2.1 word for word.
    fn textbook(leaves: &[Hash]) -> Hash {
        match leaves.len() {
            0 => openssl::sha::sha256(b""),
            1 => leaves[0],
            n => {
                let k = n.next_power_of_two() / 2;
                node_hash(&textbook(&leaves[..k]), &textbook(&leaves[k..]))
            }
        }
    }

    #[test]
    fn the_published_roots_of_the_reference_log_come_out() {
        let inputs: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let tree = Leaves(inputs.iter().map(|i| leaf_hash(i)).collect());
        for (size, expected) in [
            (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
            (2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
            (3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
            (8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
        ] {
            assert_eq!(hex::encode(root(&tree, size).unwrap()), expected, "size {size}");
        }
    }

    #[test]
    fn every_leaf_of_every_small_tree_is_proven_and_no_other() {
        let tree = leaves(130);
        for size in 1..=130 {
            let head = root(&tree, size).unwrap();
            assert_eq!(head, textbook(&tree.0[..size as usize]));
            for index in 0..size {
                let path = inclusion_proof(&tree, index, size).unwrap();
                let leaf = &tree.0[index as usize];
                assert_eq!(root_of_inclusion(leaf, index, size, &path), Some(head));
                if size > 1 {
                    assert_ne!(root_of_inclusion(leaf, (index + 1) % size, size, &path), Some(head));
                }
                let mut longer = path.clone();
                longer.push([0; 32]);
                assert_eq!(root_of_inclusion(leaf, index, size, &longer), None);
                if let Some((_, shorter)) = path.split_last() {
                    assert_eq!(root_of_inclusion(leaf, index, size, shorter), None);
                }
            }
        }
    }

    #[test]
    fn every_pair_of_small_trees_is_consistent_and_a_changed_leaf_is_not() {
        let tree = leaves(70);
        let mut forked = leaves(70);
        forked.0[5] = leaf_hash(b"another");
        for new in 0..=70 {
            let new_root = root(&tree, new).unwrap();
            let forked_root = root(&forked, new).unwrap();
            for old in 0..=new {
                let old_root = root(&tree, old).unwrap();
                let path = consistency_proof(&tree, old, new).unwrap();
                assert!(is_consistent(old, new, &old_root, &new_root, &path), "{old} {new}");
                if old > 0 && new > 5 {
                    let lie = consistency_proof(&forked, old, new).unwrap();
                    assert!(!is_consistent(old, new, &old_root, &forked_root, &path));
                    assert!(old <= 5 || !is_consistent(old, new, &old_root, &forked_root, &lie));
                }
                for cut in 0..path.len() {
                    assert!(!is_consistent(old, new, &old_root, &new_root, &path[..cut]));
                }
            }
        }
    }

    #[test]
    fn an_index_beyond_the_tree_has_no_root() {
        assert_eq!(root_of_inclusion(&[0; 32], 1, 1, &[]), None);
        assert_eq!(root_of_inclusion(&[0; 32], 0, 0, &[]), None);
        assert_eq!(root_of_inclusion(&[0; 32], u64::MAX, u64::MAX, &[[0; 32]; 64]), None);
    }
}
