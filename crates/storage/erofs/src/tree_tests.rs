//! Trees become what directories on disk would.

use super::*;

fn file(offset: u64) -> Kind {
    Kind::Regular(Content { offset, size_bytes: 1, sparse: None })
}

fn put(tree: &mut Tree, path: &str, kind: Kind) -> Result<(), Refusal> {
    tree.put(path.as_bytes(), kind, Attributes { mode: 0o700, ..Attributes::default() })
}

fn link_to(target: &str) -> Kind {
    Kind::SymbolicLink(target.as_bytes().to_vec())
}

/// All paths with what is there, in order; `!` marks opaque directories, `#` whiteouts.
fn list(tree: &Tree) -> String {
    fn visit(tree: &Tree, id: Id, path: &str, out: &mut Vec<String>) {
        for (name, child) in &tree.node(id).children {
            let path = format!("{path}{}", String::from_utf8_lossy(name));
            let node = tree.node(*child);
            let opaque = node.attributes.xattrs.iter().any(|(name, _)| name == OPAQUE);
            match &node.kind {
                Kind::Directory => {
                    out.push(format!("{path}/{}", if opaque { "!" } else { "" }));
                    visit(tree, *child, &format!("{path}/"), out);
                }
                Kind::Regular(content) => out.push(format!("{path}={}", content.offset)),
                Kind::SymbolicLink(target) => out.push(format!("{path}>{}", String::from_utf8_lossy(target))),
                Kind::Character(0, 0) => out.push(format!("{path}#")),
                Kind::Character(..) | Kind::Block(..) | Kind::Fifo => out.push(path),
            }
        }
    }
    let mut out = Vec::new();
    visit(tree, ROOT, "", &mut out);
    out.join(" ")
}

#[test]
fn later_entries_replace_earlier_ones_and_directories_keep_theirs() {
    let mut tree = Tree::default();
    put(&mut tree, "a/b/c", file(1)).unwrap();
    put(&mut tree, "a", Kind::Directory).unwrap();
    assert_eq!(list(&tree), "a/ a/b/ a/b/c=1");
    put(&mut tree, "a/b", file(2)).unwrap();
    put(&mut tree, "a/d", file(3)).unwrap();
    assert_eq!(list(&tree), "a/ a/b=2 a/d=3");
    put(&mut tree, "a/d", Kind::Directory).unwrap();
    assert_eq!(list(&tree), "a/ a/b=2 a/d/");
    assert_eq!(put(&mut tree, "a/b/x", file(4)), Err(Refusal::NotDirectory));
}

#[test]
fn links_on_the_way_are_followed_below_the_root() {
    let mut tree = Tree::default();
    put(&mut tree, "usr/lib", Kind::Directory).unwrap();
    put(&mut tree, "lib", link_to("usr/lib")).unwrap();
    put(&mut tree, "up", link_to("../../../usr")).unwrap();
    put(&mut tree, "usr/top", link_to("/")).unwrap();
    put(&mut tree, "lib/x", file(1)).unwrap();
    put(&mut tree, "up/lib/y", file(2)).unwrap();
    put(&mut tree, "usr/top/z", file(3)).unwrap();
    assert_eq!(
        list(&tree),
        "lib>usr/lib up>../../../usr usr/ usr/lib/ usr/lib/x=1 usr/lib/y=2 usr/top>/ z=3"
    );
    put(&mut tree, "lib", file(4)).unwrap();
    assert_eq!(put(&mut tree, "lib/x", file(5)), Err(Refusal::NotDirectory));
}

#[test]
fn links_to_nothing_and_in_circles_are_refused() {
    let mut tree = Tree::default();
    put(&mut tree, "nowhere", link_to("gone")).unwrap();
    put(&mut tree, "loop", link_to("loop")).unwrap();
    assert_eq!(put(&mut tree, "nowhere/x", file(1)), Err(Refusal::Exists));
    assert_eq!(put(&mut tree, "loop/x", file(1)), Err(Refusal::Loop));
    assert_eq!(put(&mut tree, &"n".repeat(256), file(1)), Err(Refusal::TooLong));
    assert_eq!(put(&mut tree, &format!("{}x", "d/".repeat(2100)), file(1)), Err(Refusal::TooLong));
    assert_eq!(put(&mut tree, "", file(1)), Err(Refusal::Exists));
}

#[test]
fn hard_links_need_a_target_that_survives() {
    let mut tree = Tree::default();
    put(&mut tree, "a/b", file(1)).unwrap();
    tree.link(b"a/b", b"c").unwrap();
    tree.link(b"c", b"a/b").unwrap();
    assert_eq!(list(&tree), "a/ a/b=1 c=1");
    assert_eq!(tree.link(b"a/none", b"d"), Err(Refusal::NotFound));
    assert_eq!(tree.link(b"a", b"d"), Err(Refusal::Directory));
    assert_eq!(tree.link(b"a/b", b"a"), Err(Refusal::NotFound));
    assert_eq!(list(&tree), "c=1");
}

#[test]
fn whiteouts_hide_what_is_below_and_not_what_the_layer_has() {
    let mut tree = Tree::default();
    put(&mut tree, "d", Kind::Directory).unwrap();
    put(&mut tree, "f", file(1)).unwrap();
    for path in ["d", "f", "gone"] {
        tree.whiteout(path.as_bytes()).unwrap();
    }
    tree.make_opaque(b"new").unwrap();
    assert_eq!(list(&tree), "d/! f=1 gone# new/!");
    put(&mut tree, "gone", Kind::Directory).unwrap();
    assert_eq!(list(&tree), "d/! f=1 gone/! new/!");
}

#[test]
fn attributes_of_a_directory_are_those_of_its_last_entry() {
    let mut tree = Tree::default();
    let xattr = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
    let first = Attributes {
        mode: 0o700,
        xattrs: vec![xattr("user.a", "1"), xattr("user.b", "1")],
        ..Attributes::default()
    };
    let second = Attributes { mode: 0o711, xattrs: vec![xattr("user.b", "2")], ..Attributes::default() };
    tree.put(b"", Kind::Directory, first).unwrap();
    tree.put(b"", Kind::Directory, second).unwrap();
    let root = &tree.node(ROOT).attributes;
    assert_eq!((root.mode, &root.xattrs), (0o711, &vec![xattr("user.a", "1"), xattr("user.b", "2")]));
}
