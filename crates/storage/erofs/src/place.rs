//! Where everything goes: each inode's place in the index, and what needs blocks of its own.

use crate::directory;
use crate::format::{BLOCK_BYTES, HOLE, INODE_BYTES, Layout, ROOT_NID, SLOT_BYTES};
use crate::index::Unrepresentable;
use crate::tree::{Content, Id, Kind, ROOT, Tree};
use crate::xattr;

/// The most chunks of a sparse file.
const MAX_CHUNKS: u64 = 1 << 16;
const MIN_CHUNK_BITS: u32 = 12;
const MAX_CHUNK_BITS: u32 = 40;

/// Where one inode goes.
pub(crate) struct Slot {
    /// Its offset in the index.
    pub(crate) position: u64,
    pub(crate) layout: Layout,
    /// The first of its own blocks, counted from the first of all; meaningless without any.
    pub(crate) block: u64,
    /// The length of its data: of a directory or link.
    pub(crate) data_bytes: u64,
    /// How many names lead to it.
    pub(crate) names: u32,
    /// The directories in it.
    pub(crate) subdirectories: u32,
    pub(crate) parent: Id,
    /// The chunks, if it is a sparse file.
    pub(crate) chunks: Option<Chunks>,
}

/// How a sparse file is cut.
pub(crate) struct Chunks {
    pub(crate) bits: u32,
    /// The chunk's first block, counted from the first of all sparse data, or [`HOLE`].
    pub(crate) map: Vec<u32>,
}

/// Where all of a tree goes.
pub(crate) struct Places {
    /// All nodes that have a name, the root first.
    pub(crate) order: Vec<Id>,
    /// By node.
    slots: Vec<Option<Slot>>,
    /// The length of the index, a multiple of the block size.
    pub(crate) index_bytes: u64,
    /// The blocks that directories and links have for themselves.
    pub(crate) blocks: u64,
    /// The blocks of sparse files' data.
    pub(crate) sparse_blocks: u64,
}

impl Places {
    pub(crate) fn of(tree: &Tree) -> Result<Self, Unrepresentable> {
        let mut places = Self {
            order: Vec::new(),
            slots: std::iter::repeat_with(|| None).take(tree.nodes.len()).collect(),
            index_bytes: u64::from(ROOT_NID) * SLOT_BYTES,
            blocks: 0,
            sparse_blocks: 0,
        };
        places.walk(tree);
        for index in 0..places.order.len() {
            places.place(tree, places.order[index])?;
        }
        places.index_bytes = places.index_bytes.next_multiple_of(BLOCK_BYTES);
        Ok(places)
    }

    pub(crate) fn slot(&self, id: Id) -> &Slot {
        self.slots[id as usize].as_ref().expect("whoever asks has found the node by a name")
    }

    fn slot_mut(&mut self, id: Id) -> &mut Slot {
        self.slots[id as usize].as_mut().expect("whoever asks has found the node by a name")
    }

    /// Finds what can be reached, each directory before what is in it; counts names.
    fn walk(&mut self, tree: &Tree) {
        let mut pending = vec![(ROOT, ROOT)];
        while let Some((id, parent)) = pending.pop() {
            if let Some(known) = &mut self.slots[id as usize] {
                known.names += 1;
                continue;
            }
            let node = tree.node(id);
            let is_directory = |child: &&Id| tree.node(**child).kind == Kind::Directory;
            self.slots[id as usize] = Some(Slot {
                position: 0,
                layout: Layout::Plain,
                block: 0,
                data_bytes: data_bytes(tree, id),
                names: 1,
                subdirectories: node.children.values().filter(is_directory).count() as u32,
                parent,
                chunks: None,
            });
            self.order.push(id);
            pending.extend(node.children.values().rev().map(|child| (*child, id)));
        }
    }

    fn place(&mut self, tree: &Tree, id: Id) -> Result<(), Unrepresentable> {
        let node = tree.node(id);
        let (xattrs, _) = xattr::encode(&node.attributes.xattrs).ok_or(Unrepresentable::Attributes)?;
        let head = INODE_BYTES + xattrs.len() as u64;
        let data_bytes = self.slot(id).data_bytes;
        let (full, rest) = (data_bytes / BLOCK_BYTES, data_bytes % BLOCK_BYTES);
        // A link is read at once, so it is wholly behind its inode or not at all.
        let may_inline = rest > 0 && (node.kind == Kind::Directory || full == 0);
        let chunks = match &node.kind {
            Kind::Regular(content) => self.chunks(content)?,
            _ => None,
        };
        let map_bytes = chunks.as_ref().map_or(0, |chunks| 4 * chunks.map.len() as u64);

        let start = self.index_bytes.next_multiple_of(SLOT_BYTES);
        let candidates = (start..).step_by(SLOT_BYTES as usize).take((BLOCK_BYTES / SLOT_BYTES) as usize);
        let is_whole = |position: &u64, length| position % BLOCK_BYTES + length <= BLOCK_BYTES;
        let mut suited = candidates.filter(|position| is_whole(position, INODE_BYTES));
        let first = suited.clone().next().expect("each block has room for an inode");
        let with_rest = suited.find(|position| is_whole(&(position + head), rest)).filter(|_| may_inline);

        let next_block = self.blocks;
        let slot = self.slot_mut(id);
        slot.block = next_block;
        (slot.position, slot.layout) = match (&chunks, with_rest) {
            (Some(_), _) => (first, Layout::Chunks),
            (None, Some(position)) => (position, Layout::Inline),
            (None, None) => (first, Layout::Plain),
        };
        slot.chunks = chunks;
        let (position, layout) = (slot.position, slot.layout);
        let (inline_bytes, blocks) = match layout {
            Layout::Inline => (rest, full),
            Layout::Plain | Layout::Chunks => (0, data_bytes.div_ceil(BLOCK_BYTES)),
        };
        self.blocks += blocks;
        self.index_bytes = position + head + map_bytes + inline_bytes;
        Ok(())
    }

    /// Cuts a sparse file into as few chunks as its holes' sizes allow.
    fn chunks(&mut self, content: &Content) -> Result<Option<Chunks>, Unrepresentable> {
        let Some(stretches) = content.sparse.as_ref().filter(|_| content.size_bytes > 0) else {
            return Ok(None);
        };
        let bits = (MIN_CHUNK_BITS..=MAX_CHUNK_BITS)
            .find(|bits| content.size_bytes.div_ceil(1 << bits) <= MAX_CHUNKS)
            .ok_or(Unrepresentable::TooLarge)?;
        let count = content.size_bytes.div_ceil(1 << bits);
        let mut is_held = vec![false; count as usize];
        for stretch in stretches.iter().filter(|stretch| stretch.length > 0) {
            let last = (stretch.offset + stretch.length - 1) >> bits;
            is_held[(stretch.offset >> bits) as usize..=last as usize].fill(true);
        }
        let mut map = Vec::with_capacity(is_held.len());
        for (number, is_held) in (0..count).zip(is_held) {
            if !is_held {
                map.push(HOLE);
                continue;
            }
            map.push(u32::try_from(self.sparse_blocks).map_err(|_| Unrepresentable::TooLarge)?);
            let bytes = (content.size_bytes - (number << bits)).min(1 << bits);
            self.sparse_blocks += bytes.div_ceil(BLOCK_BYTES);
        }
        Ok(Some(Chunks { bits, map }))
    }
}

/// Returns the length of what a directory or link holds.
fn data_bytes(tree: &Tree, id: Id) -> u64 {
    let node = tree.node(id);
    match &node.kind {
        Kind::Directory => directory::size_bytes(names(tree, id).into_iter()),
        Kind::SymbolicLink(target) => target.len() as u64,
        Kind::Regular(_) | Kind::Character(..) | Kind::Block(..) | Kind::Fifo => 0,
    }
}

/// Returns the names in a directory, itself and the one above included, in order.
pub(crate) fn names(tree: &Tree, id: Id) -> Vec<&[u8]> {
    let mut names: Vec<&[u8]> = tree.node(id).children.keys().map(|name| &**name).collect();
    for own in [&b"."[..], b".."] {
        let at = names.partition_point(|name| *name < own);
        names.insert(at, own);
    }
    names
}
