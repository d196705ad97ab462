//! From a tree to bytes.

use crate::directory::{self, Entry};
use crate::format::{BLOCK_BITS, BLOCK_BYTES, HOLE, Inode, Layout, SLOT_BYTES, SUPERBLOCK_BYTES, Superblock};
use crate::place::{Chunks, Places, Slot, names};
use crate::tree::{Content, Id, Kind, Node, Tree};
use crate::xattr;

/// Where the parts of the file stand.
#[derive(Debug, Clone, Copy)]
pub struct Where {
    /// The offset of the archive, a multiple of 512.
    pub archive: u64,
    /// The offset of the index, a multiple of 512 behind the archive.
    pub index: u64,
    /// What the file system calls itself.
    pub uuid: [u8; 16],
}

/// What is to be written.
#[derive(Debug)]
pub struct Index {
    /// What belongs at [`crate::SUPERBLOCK_OFFSET`].
    pub superblock: [u8; SUPERBLOCK_BYTES],
    /// What belongs at [`Where::index`].
    pub bytes: Vec<u8>,
    /// What of the archive is to be copied: the data of sparse files.
    pub moves: Vec<Move>,
    /// How long the file becomes; what is not written is a hole.
    pub file_bytes: u64,
}

/// A stretch of the file that is to be copied within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// From this offset.
    pub from: u64,
    /// To this offset.
    pub to: u64,
    /// So many bytes.
    pub length: u64,
}

/// What EROFS cannot hold; a directory can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unrepresentable {
    /// Addresses end at 2 TiB.
    #[error("the layer is too large for an EROFS index")]
    TooLarge,
    /// The attributes of one file are of an unknown kind, or over 256 KiB.
    #[error("the extended attributes of a file do not fit into an EROFS index")]
    Attributes,
}

/// Makes the index of a tree.
///
/// # Errors
/// A tree that EROFS cannot hold.
pub fn encode(tree: &Tree, place: &Where) -> Result<Index, Unrepresentable> {
    let places = Places::of(tree)?;
    let first_block = (place.index + places.index_bytes) / BLOCK_BYTES;
    let sparse_block = first_block + places.blocks;
    let end_block = sparse_block + places.sparse_blocks;
    if end_block >= u64::from(HOLE) {
        return Err(Unrepresentable::TooLarge);
    }
    let mut encoder = Encoder {
        tree,
        places: &places,
        place,
        first_block,
        sparse_block,
        bytes: Vec::new(),
        moves: Vec::new(),
    };
    encoder.bytes.resize((places.index_bytes + places.blocks * BLOCK_BYTES) as usize, 0);
    for (number, id) in (1..).zip(&places.order) {
        encoder.inode(*id, number);
    }
    let superblock = Superblock {
        inodes: places.order.len() as u64,
        blocks: end_block as u32,
        index_block: (place.index / BLOCK_BYTES) as u32,
        uuid: place.uuid,
        chunked: places.order.iter().any(|id| places.slot(*id).layout == Layout::Chunks),
    };
    Ok(Index {
        superblock: superblock.encode(),
        bytes: encoder.bytes,
        moves: encoder.moves,
        file_bytes: end_block * BLOCK_BYTES,
    })
}

struct Encoder<'a> {
    tree: &'a Tree,
    places: &'a Places,
    place: &'a Where,
    /// The first block behind the index.
    first_block: u64,
    /// The first block of sparse files' data.
    sparse_block: u64,
    bytes: Vec<u8>,
    moves: Vec<Move>,
}

impl Encoder<'_> {
    fn inode(&mut self, id: Id, number: u32) {
        let (node, slot) = (self.tree.node(id), self.places.slot(id));
        let attributes = &node.attributes;
        let (xattrs, xattr_count) =
            xattr::encode(&attributes.xattrs).expect("the places were found with the same attributes");
        let inode = Inode {
            layout: slot.layout,
            xattr_count,
            mode: mode(node),
            size_bytes: match &node.kind {
                Kind::Regular(content) => content.size_bytes,
                _ => slot.data_bytes,
            },
            union: self.union(node, slot),
            number,
            uid: attributes.uid,
            gid: attributes.gid,
            mtime_seconds: attributes.mtime_seconds,
            mtime_nanoseconds: attributes.mtime_nanoseconds,
            links: match node.kind {
                Kind::Directory => 2 + slot.subdirectories,
                _ => slot.names,
            },
        };
        let behind_inode = self.write(slot.position, &inode.encode());
        let behind = self.write(behind_inode, &xattrs);
        match &node.kind {
            Kind::Directory => self.data(slot, behind, &self.entries(id)),
            Kind::SymbolicLink(target) => self.data(slot, behind, target),
            Kind::Regular(content) => self.chunks(slot, behind, content),
            Kind::Character(..) | Kind::Block(..) | Kind::Fifo => {}
        }
    }

    /// Writes bytes at an offset of the index and returns the offset behind them.
    fn write(&mut self, at: u64, bytes: &[u8]) -> u64 {
        let start = at as usize;
        self.bytes[start..start + bytes.len()].copy_from_slice(bytes);
        at + bytes.len() as u64
    }

    fn data(&mut self, slot: &Slot, behind: u64, data: &[u8]) {
        let in_blocks = match slot.layout {
            Layout::Inline => data.len() - data.len() % BLOCK_BYTES as usize,
            Layout::Plain | Layout::Chunks => data.len(),
        };
        let (blocks, rest) = data.split_at(in_blocks);
        self.write(self.places.index_bytes + slot.block * BLOCK_BYTES, blocks);
        self.write(behind, rest);
    }

    fn chunks(&mut self, slot: &Slot, behind: u64, content: &Content) {
        let (Some(chunks), Some(stretches)) = (&slot.chunks, &content.sparse) else { return };
        let mut at = behind;
        for block in &chunks.map {
            let block = if *block == HOLE { HOLE } else { self.sparse_block as u32 + block };
            at = self.write(at, &block.to_le_bytes());
        }
        let mut from = self.place.archive + content.offset;
        for stretch in stretches.iter().filter(|stretch| stretch.length > 0) {
            let to = self.chunk_address(chunks, stretch.offset);
            self.moves.push(Move { from, to, length: stretch.length });
            from += stretch.length;
        }
    }

    /// Returns where in the file a held byte of a sparse file goes. Chunks that follow one another in the file do so on disk.
    fn chunk_address(&self, chunks: &Chunks, offset: u64) -> u64 {
        let block = u64::from(chunks.map[(offset >> chunks.bits) as usize]);
        (self.sparse_block + block) * BLOCK_BYTES + offset % (1 << chunks.bits)
    }

    fn union(&self, node: &Node, slot: &Slot) -> u32 {
        match &node.kind {
            Kind::Regular(content) => match &slot.chunks {
                Some(chunks) => chunks.bits - u32::from(BLOCK_BITS),
                None if content.size_bytes == 0 => 0,
                None => ((self.place.archive + content.offset) / BLOCK_BYTES) as u32,
            },
            Kind::Directory | Kind::SymbolicLink(_) => (self.first_block + slot.block) as u32,
            Kind::Character(major, minor) | Kind::Block(major, minor) => device(*major, *minor),
            Kind::Fifo => 0,
        }
    }

    fn entries(&self, id: Id) -> Vec<u8> {
        let nid = |id: Id| (self.places.slot(id).position) / SLOT_BYTES;
        let children = &self.tree.node(id).children;
        let names = names(self.tree, id);
        let entries: Vec<Entry<'_>> = names
            .into_iter()
            .map(|name| {
                let target = match name {
                    b"." => id,
                    b".." => self.places.slot(id).parent,
                    name => children[name],
                };
                Entry { name, nid: nid(target), file_type: file_type(&self.tree.node(target).kind) }
            })
            .collect();
        directory::encode(&entries)
    }
}

fn mode(node: &Node) -> u16 {
    let format = match node.kind {
        Kind::Regular(_) => 0o100_000,
        Kind::Directory => 0o040_000,
        Kind::SymbolicLink(_) => return 0o120_777,
        Kind::Character(..) => 0o020_000,
        Kind::Block(..) => 0o060_000,
        Kind::Fifo => 0o010_000,
    };
    format | (node.attributes.mode & 0o7777) as u16
}

fn file_type(kind: &Kind) -> u8 {
    match kind {
        Kind::Regular(_) => 1,
        Kind::Directory => 2,
        Kind::Character(..) => 3,
        Kind::Block(..) => 4,
        Kind::Fifo => 5,
        Kind::SymbolicLink(_) => 7,
    }
}

/// The kernel's form of a device number in 32 bits: 12 bits of major, 20 of minor number.
fn device(major: u32, minor: u32) -> u32 {
    (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & 0xf_ff00) << 12)
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
