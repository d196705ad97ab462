//! Another driver on the same data root: images stay.

use crate::place::{Place, mount};
use layer::Form;
use snapshot::Driver;

#[test]
fn layers_and_snapshots_of_one_driver_are_used_by_the_other() {
    let place = Place::new("switch", Driver::Overlay);
    let unpacked = place.layer("a", "made by overlay");
    let first = place.open_as(Driver::Overlay).prepare("x", std::slice::from_ref(&unpacked)).unwrap();
    mount(&first).run("echo written > b");

    let erofs = place.open_as(Driver::Erofs);
    let as_file = place.layer("c", "made by erofs");
    assert_eq!(
        (place.layers.form(&unpacked), place.layers.form(&as_file)),
        (Some(Form::Directory), Some(Form::File))
    );
    assert_eq!(mount(&erofs.rootfs("x").unwrap()).run("cat a b"), "made by overlaywritten\n");
    let second = erofs.prepare("y", &[unpacked, as_file]).unwrap();
    assert_eq!(mount(&second).run("cat a c; echo more > d"), "made by overlaymade by erofs");

    let overlay = place.open_as(Driver::Overlay);
    assert_eq!(mount(&overlay.rootfs("y").unwrap()).run("cat a c d"), "made by overlaymade by erofsmore\n");
}

#[test]
fn copies_are_made_of_any_layer_and_used_by_their_driver_only() {
    let place = Place::new("copies", Driver::Erofs);
    let layer = place.layer("f", "made by erofs");
    place.open().prepare("x", std::slice::from_ref(&layer)).unwrap();
    let vfs = place.open_as(Driver::Vfs);
    assert_eq!(mount(&vfs.prepare("y", std::slice::from_ref(&layer)).unwrap()).run("cat f"), "made by erofs");
    let other = "was made by another storage driver";
    assert!(vfs.rootfs("x").unwrap_err().to_string().ends_with(other));
    assert!(place.open_as(Driver::Erofs).rootfs("y").unwrap_err().to_string().ends_with(other));
    vfs.remove("y").unwrap();
    place.open_as(Driver::Erofs).remove("x").unwrap();
    place.store.write(|tx| tx.delete_layer(&layer)).unwrap();
    place.layers.remove(&layer).unwrap();
    place.open_as(Driver::Vfs);
    assert_eq!(std::fs::read_dir(place.base.join("chains")).unwrap().count(), 0);
}

#[test]
fn mounts_that_a_reboot_has_taken_are_made_again() {
    let place = Place::new("reboot", Driver::Erofs);
    let layer = place.layer("f", "x");
    let rootfs = place.open().prepare("a", &[layer]).unwrap();
    let running = mount(&rootfs);
    sys::mount::unmount(&place.base.join("layers/mounts")).unwrap();
    assert_eq!(running.run("cat f"), "x", "a container keeps what it has");
    let again = layer::Layers::open(&place.base.join("layers"), place.trash.clone()).unwrap();
    let shown = again.shown(&again.list().unwrap()[0]).unwrap();
    assert_eq!(std::fs::read_to_string(shown.join("f")).unwrap(), "x");
}

#[test]
fn mount_that_was_taken_away_is_made_again_at_the_next_use() {
    let place = Place::new("taken", Driver::Erofs);
    let layer = place.layer("f", "x");
    let driver = place.open();
    driver.prepare("a", std::slice::from_ref(&layer)).unwrap();
    sys::mount::unmount(&place.layers.shown(&layer).unwrap()).unwrap();
    assert_eq!(mount(&driver.rootfs("a").unwrap()).run("cat f"), "x");
}
