//! The kernel's first file system: a cpio archive in the format `newc`.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;

/// An archive that grows.
#[derive(Default)]
pub(super) struct Archive {
    bytes: Vec<u8>,
    paths: BTreeSet<PathBuf>,
}

impl Archive {
    /// Adds a directory and those it lies in.
    pub(super) fn directory(&mut self, path: &Path) {
        let ancestors: Vec<&Path> = path.ancestors().filter(|dir| dir.parent().is_some()).collect();
        for dir in ancestors.into_iter().rev() {
            self.entry(dir, DIRECTORY, &[]);
        }
    }

    /// Adds a file that can be executed.
    pub(super) fn file(&mut self, path: &Path, content: &[u8]) {
        if let Some(dir) = path.parent() {
            self.directory(dir);
        }
        self.entry(path, PROGRAM, content);
    }

    /// Adds a file of this machine under a path of its own.
    pub(super) fn copy(&mut self, from: &Path, to: &Path) -> Result<()> {
        let content = fs::read(from).with_context(|| format!("reading {}", from.display()))?;
        self.file(to, &content);
        Ok(())
    }

    /// The whole archive.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.entry(Path::new("/TRAILER!!!"), 0, &[]);
        self.bytes
    }

    fn entry(&mut self, path: &Path, mode: u32, content: &[u8]) {
        if !self.paths.insert(path.to_owned()) {
            return;
        }
        let path = path.to_string_lossy();
        let name = path.trim_start_matches('/');
        let inode = self.paths.len() as u32;
        // Inode, mode, user, group, links, time, size, device and the one it stands for, length of
        // the name with its 0, checksum.
        let (size, name_size) = (content.len() as u32, name.len() as u32 + 1);
        let fields = [inode, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0];
        self.bytes.extend(b"070701");
        for field in fields {
            self.bytes.extend(format!("{field:08x}").bytes());
        }
        self.bytes.extend(name.bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names and contents, as a reader finds them by the sizes in each header.
    fn read(mut bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
        let mut entries = Vec::new();
        while !bytes.is_empty() {
            assert_eq!(&bytes[..6], b"070701");
            let field = |number: usize| {
                let digits = &bytes[6 + number * 8..][..8];
                usize::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap()
            };
            let (size, name_size) = (field(6), field(11));
            let content = (110 + name_size).next_multiple_of(4);
            let name = String::from_utf8(bytes[110..110 + name_size - 1].to_vec()).unwrap();
            entries.push((name, bytes[content..content + size].to_vec()));
            bytes = &bytes[(content + size).next_multiple_of(4)..];
        }
        entries
    }

    #[test]
    fn an_archive_has_each_directory_before_what_lies_in_it_and_once() {
        let mut archive = Archive::default();
        archive.file(Path::new("/a/b/c"), b"hello");
        archive.file(Path::new("/a/d"), b"");
        let entries = read(&archive.finish());
        let names: Vec<&str> = entries.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "a/b", "a/b/c", "a/d", "TRAILER!!!"]);
        assert_eq!(entries[2].1, b"hello");
    }
}
