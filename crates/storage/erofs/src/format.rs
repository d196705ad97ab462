//! The bytes on disk.

use crate::crc::crc32c;

/// The block size: that of a tar archive.
pub const BLOCK_BYTES: u64 = 512;

pub(crate) const BLOCK: usize = 512;
pub(crate) const BLOCK_BITS: u8 = 9;

/// Where the superblock stands.
pub const SUPERBLOCK_OFFSET: u64 = 1024;

/// How much is written there: the superblock and the zeros that its checksum covers.
pub const SUPERBLOCK_BYTES: usize = BLOCK;

/// The first four bytes of the superblock.
pub const MAGIC: u32 = 0xe0f5_e1e2;

/// The root's inode number. Not 0: some programs pass over entries of that number.
pub const ROOT_NID: u16 = 2;

/// The bytes of an inode number's unit.
pub(crate) const SLOT_BYTES: u64 = 32;

/// The bytes of an extended inode.
pub(crate) const INODE_BYTES: u64 = 64;

/// The bytes of a directory entry without its name.
pub(crate) const DIRENT_BYTES: usize = 12;

/// A chunk that is a hole.
pub(crate) const HOLE: u32 = u32::MAX;

const COMPAT_CHECKSUM: u32 = 0x1;
const COMPAT_MTIME: u32 = 0x2;
const INCOMPAT_CHUNKED_FILE: u32 = 0x4;

/// What the superblock says.
pub(crate) struct Superblock {
    pub(crate) inodes: u64,
    pub(crate) blocks: u32,
    pub(crate) index_block: u32,
    pub(crate) uuid: [u8; 16],
    pub(crate) chunked: bool,
}

impl Superblock {
    pub(crate) fn encode(&self) -> [u8; SUPERBLOCK_BYTES] {
        let mut bytes = [0; SUPERBLOCK_BYTES];
        put(&mut bytes, 0, &MAGIC.to_le_bytes());
        put(&mut bytes, 8, &(COMPAT_CHECKSUM | COMPAT_MTIME).to_le_bytes());
        bytes[12] = BLOCK_BITS;
        put(&mut bytes, 14, &ROOT_NID.to_le_bytes());
        put(&mut bytes, 16, &self.inodes.to_le_bytes());
        put(&mut bytes, 36, &self.blocks.to_le_bytes());
        put(&mut bytes, 40, &self.index_block.to_le_bytes());
        put(&mut bytes, 48, &self.uuid);
        put(&mut bytes, 64, b"naru layer");
        let incompatible = if self.chunked { INCOMPAT_CHUNKED_FILE } else { 0 };
        put(&mut bytes, 80, &incompatible.to_le_bytes());
        let checksum = crc32c(&bytes);
        put(&mut bytes, 4, &checksum.to_le_bytes());
        bytes
    }
}

/// Where an inode's data is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// In whole blocks.
    Plain,
    /// In whole blocks and, for the rest, behind the inode.
    Inline,
    /// In chunks, by a map behind the inode.
    Chunks,
}

/// An extended inode.
pub(crate) struct Inode {
    pub(crate) layout: Layout,
    pub(crate) xattr_count: u16,
    pub(crate) mode: u16,
    pub(crate) size_bytes: u64,
    /// The first block, the device number, or the chunk format.
    pub(crate) union: u32,
    pub(crate) number: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mtime_seconds: i64,
    pub(crate) mtime_nanoseconds: u32,
    pub(crate) links: u32,
}

impl Inode {
    pub(crate) fn encode(&self) -> [u8; INODE_BYTES as usize] {
        let layout: u16 = match self.layout {
            Layout::Plain => 0,
            Layout::Inline => 2,
            Layout::Chunks => 4,
        };
        let mut bytes = [0; INODE_BYTES as usize];
        put(&mut bytes, 0, &(1 | (layout << 1)).to_le_bytes());
        put(&mut bytes, 2, &self.xattr_count.to_le_bytes());
        put(&mut bytes, 4, &self.mode.to_le_bytes());
        put(&mut bytes, 8, &self.size_bytes.to_le_bytes());
        put(&mut bytes, 16, &self.union.to_le_bytes());
        put(&mut bytes, 20, &self.number.to_le_bytes());
        put(&mut bytes, 24, &self.uid.to_le_bytes());
        put(&mut bytes, 28, &self.gid.to_le_bytes());
        put(&mut bytes, 32, &self.mtime_seconds.to_le_bytes());
        put(&mut bytes, 40, &self.mtime_nanoseconds.to_le_bytes());
        put(&mut bytes, 44, &self.links.to_le_bytes());
        bytes
    }
}

pub(crate) fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn superblock_has_its_checksum() {
        let superblock =
            Superblock { inodes: 3, blocks: 20, index_block: 10, uuid: [7; 16], chunked: true }.encode();
        let mut without = superblock;
        put(&mut without, 4, &[0; 4]);
        assert_eq!(superblock[4..8], crc32c(&without).to_le_bytes());
        assert_eq!(superblock[..4], [0xe2, 0xe1, 0xf5, 0xe0]);
        assert_eq!((superblock[12], superblock[14], superblock[80]), (9, 2, 4));
    }
}
