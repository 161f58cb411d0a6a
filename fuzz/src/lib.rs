//! What the targets share: files of random content in a folder, and a limit on memory.

mod limit;
pub mod small;

use empf_data::events::Cut;
use empf_data::{Reading, Split};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;
use tempfile::TempDir;

/// Rows and columns of frames of events.
const SIDE: usize = 20;

/// A folder of the process, emptied before every use.
static PLACE: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a temporary folder"));

/// Writes `files`, paths and contents, into an empty folder and shows it to `read`.
pub fn with_folder<T>(files: &[(&str, &[u8])], read: impl FnOnce(&Path) -> T) -> T {
    let folder = PLACE.path().join("set");
    let _ = fs::remove_dir_all(&folder);
    for (name, content) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a new folder");
        fs::write(path, content).expect("a new file");
    }
    read(&folder)
}

/// [`with_folder`] of files with names of their own.
pub fn with_files<T>(files: &[(String, Vec<u8>)], read: impl FnOnce(&Path) -> T) -> T {
    let files: Vec<(&str, &[u8])> =
        files.iter().map(|(name, content)| (name.as_str(), content.as_slice())).collect();
    with_folder(&files, read)
}

/// Reads a data set as `empf train` does. Whatever the files hold, this gives a set or an error.
pub fn load(files: &[(&str, &[u8])]) {
    let reading = Reading { seed: 1, frames: 3, cut: Cut::Time, size: Some((SIDE, SIDE)), first_label: 0 };
    with_folder(files, |folder| {
        if let Ok(split) = Split::load(folder.to_str().expect("a path of text"), &reading) {
            for set in [split.train, split.test] {
                assert!(set.labels.iter().all(|label| usize::from(*label) < set.classes));
                if let Ok(codes) = set.codes(set.len()) {
                    assert_eq!(codes.dim(), (set.len(), set.frames, set.channels, set.height, set.width));
                }
            }
        }
    });
}

/// The name of a file whose content is packed as `choice` says, or not.
pub fn packed(name: &str, choice: u8) -> String {
    let ending = ["", ".gz", ".xz"][usize::from(choice) % 3];
    format!("{name}{ending}")
}

/// `whole` with changes: pairs of a place (two bytes) and the byte to put there.
pub fn damaged(whole: &[u8], changes: &[u8]) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for change in changes.as_chunks::<3>().0 {
        let place = usize::from(u16::from_le_bytes([change[0], change[1]]));
        if let Some(byte) = bytes.get_mut(place) {
            *byte = change[2];
        }
    }
    bytes
}

/// A tar archive of `files`.
pub fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(vec![]);
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, name, *content).expect("an archive in memory");
    }
    builder.into_inner().expect("an archive in memory")
}

/// A zip archive of `files`.
pub fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    use std::io::{Cursor, Write};
    let mut writer = zip::ZipWriter::new(Cursor::new(vec![]));
    for (name, content) in files {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).expect("an archive in memory");
        writer.write_all(content).expect("an archive in memory");
    }
    writer.finish().expect("an archive in memory").into_inner()
}

/// A JPEG of 64x64 grey pixels: every coefficient is 0, and tables of one code of one bit say so.
pub fn jpeg() -> Vec<u8> {
    let mut bytes = vec![0xff, 0xd8, 0xff, 0xdb, 0, 67, 0];
    bytes.extend([1; 64]);
    bytes.extend([0xff, 0xc0, 0, 11, 8, 0, 64, 0, 64, 1, 1, 0x11, 0]);
    for class in [0x00, 0x10] {
        bytes.extend([0xff, 0xc4, 0, 20, class, 1]);
        bytes.extend([0; 16]);
    }
    bytes.extend([0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0]);
    bytes.extend([0; 16]);
    bytes.extend([0xff, 0xd9]);
    bytes
}
