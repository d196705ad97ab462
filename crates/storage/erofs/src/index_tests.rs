//! What can be told without a kernel; `storage/layer` mounts what comes out.

use super::*;
use crate::tree::{Attributes, Stretch};

const PLACE: Where = Where { archive: 4096, index: 8192, uuid: [0; 16] };

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

#[test]
fn files_point_into_the_archive() {
    let mut tree = Tree::default();
    let content = Content { offset: 1024, size_bytes: 5, sparse: None };
    tree.put(b"f", Kind::Regular(content), Attributes::default()).unwrap();
    let index = encode(&tree, &PLACE).unwrap();
    // The root at 64 with its entries behind it (". .. f"), the file in the next slot.
    assert_eq!(index.bytes[64..66], [0b101, 0]);
    let root_entries = &index.bytes[128..128 + 40];
    assert_eq!(&root_entries[36..40], b"...f");
    let nid = number(root_entries, 24) as usize;
    assert_eq!(number(&index.bytes, nid * 32 + 16), (4096 + 1024) / 512);
    assert_eq!(index.bytes.len() % 512, 0);
    assert_eq!((index.file_bytes, index.moves.len()), (8192 + index.bytes.len() as u64, 0));
}

#[test]
fn inodes_and_what_is_behind_them_stay_within_blocks() {
    let mut tree = Tree::default();
    for number in 0..300 {
        let target = vec![b't'; number * 2];
        let xattrs = if number % 3 == 0 { vec![(b"user.a".to_vec(), vec![1; number])] } else { Vec::new() };
        let attributes = Attributes { xattrs, ..Attributes::default() };
        tree.put(format!("{number}").as_bytes(), Kind::SymbolicLink(target), attributes).unwrap();
    }
    let places = Places::of(&tree).unwrap();
    let mut end = 0;
    for id in &places.order {
        let slot = places.slot(*id);
        assert!(slot.position % 512 + 64 <= 512 && slot.position.is_multiple_of(32) && slot.position >= end);
        let (xattrs, _) = xattr::encode(&tree.node(*id).attributes.xattrs).unwrap();
        let tail = slot.position + 64 + xattrs.len() as u64;
        end = tail;
        if slot.layout == Layout::Inline {
            assert!(tail % 512 + slot.data_bytes % 512 <= 512);
            end += slot.data_bytes % 512;
        }
    }
    assert!(end <= places.index_bytes);
}

#[test]
fn sparse_file_of_any_size_has_a_small_map() {
    for (size_bytes, chunks) in [(10_000, 3), (1 << 30, 65_536), (1 << 40, 65_536)] {
        let mut tree = Tree::default();
        let stretch = Stretch { offset: size_bytes - 100, length: 100 };
        let content = Content { offset: 512, size_bytes, sparse: Some(vec![stretch]) };
        tree.put(b"f", Kind::Regular(content), Attributes::default()).unwrap();
        let places = Places::of(&tree).unwrap();
        let slot = places.slot(places.order[1]);
        let map = &slot.chunks.as_ref().unwrap().map;
        assert_eq!((map.len(), map.iter().filter(|block| **block != HOLE).count()), (chunks, 1));
        let index = encode(&tree, &PLACE).unwrap();
        let [copied] = index.moves[..] else { panic!("{:?}", index.moves) };
        assert_eq!((copied.from, copied.length), (4096 + 512, 100));
        assert_eq!(copied.to + 100, index.file_bytes - (512 - size_bytes % 512) % 512);
    }
}

#[test]
fn what_cannot_be_addressed_is_told() {
    let mut tree = Tree::default();
    let stretches = (0..60_000).map(|number| Stretch { offset: number << 27, length: 1 }).collect();
    let content = Content { offset: 512, size_bytes: 60_000 << 27, sparse: Some(stretches) };
    tree.put(b"f", Kind::Regular(content), Attributes::default()).unwrap();
    assert_eq!(encode(&tree, &PLACE).unwrap_err(), Unrepresentable::TooLarge);
}

#[test]
fn device_numbers_are_the_kernels() {
    assert_eq!(device(0, 0), 0);
    assert_eq!(device(8, 1), 0x801);
    assert_eq!(device(259, 0x12345), 0x1231_0345);
}
