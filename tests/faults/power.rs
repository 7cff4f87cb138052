//! The power goes: what a disk then holds, as far as it may differ from what the
//! process saw. What was flushed is there; of the rest the worst is assumed.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use super::trace::{Call, What};
use crate::appliance::Appliance;

/// Files by path, folders without content.
pub type Tree = BTreeMap<String, Option<Vec<u8>>>;

/// The two disks.
pub const DISKS: [&str; 2] = ["home", "out"];

/// What became of that which was not flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Nothing: the process alone was killed.
    None,
    /// All of it: names as well as data.
    All,
    /// Names are there, data is not.
    Data,
    /// Names are there, and data up to the middle of each write.
    Half,
    /// Names and lengths are there, and zeros for data.
    Zeros,
}

pub const LOSSES: [Loss; 4] = [Loss::All, Loss::Data, Loss::Half, Loss::Zeros];

#[derive(Clone)]
enum Node {
    /// `lost` is what a failed flush left: the kernel takes it for written, and no later
    /// flush writes it.
    File {
        now: Vec<u8>,
        kept: Vec<u8>,
        lost: Vec<Range<usize>>,
    },
    Folder {
        now: Names,
        kept: Names,
    },
}

type Names = BTreeMap<String, usize>;

/// A disk with what it holds and what it would hold after the power went.
pub struct Disk {
    nodes: Vec<Node>,
}

impl Disk {
    /// The disks as they were before, and then what a run did to them.
    pub fn after(before: &Appliance, calls: &[Call]) -> Self {
        let mut disk = Self { nodes: vec![Node::Folder { now: Names::new(), kept: Names::new() }] };
        for (path, content) in tree(before) {
            match content {
                Some(bytes) => disk.add(&path, Node::File { now: bytes.clone(), kept: bytes, lost: vec![] }),
                None => disk.add(&path, Node::Folder { now: Names::new(), kept: Names::new() }),
            }
        }
        (0..disk.nodes.len()).for_each(|node| disk.flush(node));
        for call in calls.iter().filter(|call| call.marks(&DISKS)) {
            match (&call.what, call.succeeded) {
                (What::Flush, false) => disk.lose(&call.path),
                (_, succeeded) => drop(succeeded.then(|| disk.apply(call))),
            }
        }
        disk
    }

    fn apply(&mut self, call: &Call) {
        let path = &call.path;
        match &call.what {
            What::Open(_) if self.find(path).is_none() => {
                self.add(path, Node::File { now: vec![], kept: vec![], lost: vec![] });
            }
            What::Open(_) => {}
            What::Write(bytes) => self.file(path).0.extend(bytes),
            What::Rewrite(from, bytes) => {
                let (now, _, lost) = self.file(path);
                let written = *from..from + bytes.len();
                now[written.clone()].copy_from_slice(bytes);
                lost.retain(|gone| gone.start < written.start || gone.end > written.end);
            }
            What::Truncate(length) => self.file(path).0.truncate(*length),
            What::Flush => self.flush(self.find(path).unwrap()),
            What::FlushAll => {
                let disk = path.split('/').next().unwrap();
                let of_disk = self.beneath(self.find(disk).unwrap());
                of_disk.into_iter().for_each(|node| self.flush(node));
            }
            What::Rename(to) => {
                let node = self.remove(path);
                self.name(to, node);
            }
            What::Folder => self.add(path, Node::Folder { now: Names::new(), kept: Names::new() }),
            What::Remove => drop(self.remove(path)),
            What::Other | What::Read(_) | What::Forget => panic!("{call}: not replayed"),
        }
    }

    fn find(&self, path: &str) -> Option<usize> {
        path.split('/').try_fold(0, |node, name| match &self.nodes[node] {
            Node::Folder { now, .. } => now.get(name).copied(),
            Node::File { .. } => None,
        })
    }

    fn parent<'p>(&mut self, path: &'p str) -> (&mut Names, &'p str) {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let parent = if parent.is_empty() { Some(0) } else { self.find(parent) };
        match &mut self.nodes[parent.unwrap()] {
            Node::Folder { now, .. } => (now, name),
            Node::File { .. } => panic!("{path}: beneath a file"),
        }
    }

    fn add(&mut self, path: &str, node: Node) {
        self.nodes.push(node);
        self.name(path, self.nodes.len() - 1);
    }

    fn name(&mut self, path: &str, node: usize) {
        let (names, name) = self.parent(path);
        names.insert(name.into(), node);
    }

    fn remove(&mut self, path: &str) -> usize {
        let (names, name) = self.parent(path);
        names.remove(name).unwrap()
    }

    fn file(&mut self, path: &str) -> (&mut Vec<u8>, &mut Vec<u8>, &mut Vec<Range<usize>>) {
        let node = self.find(path).unwrap();
        match &mut self.nodes[node] {
            Node::File { now, kept, lost } => (now, kept, lost),
            Node::Folder { .. } => panic!("{path}: a folder"),
        }
    }

    fn lose(&mut self, path: &str) {
        if let Some(Node::File { now, kept, lost }) = self.find(path).map(|node| &mut self.nodes[node]) {
            lost.push(kept.len()..now.len());
        }
    }

    fn flush(&mut self, node: usize) {
        match &mut self.nodes[node] {
            Node::File { now, kept, lost } => {
                kept.clone_from(now);
                lost.iter().for_each(|gone| kept[gone.clone()].fill(0));
            }
            Node::Folder { now, kept } => kept.clone_from(now),
        }
    }

    fn beneath(&self, node: usize) -> Vec<usize> {
        let inner = match &self.nodes[node] {
            Node::Folder { now, .. } => now.values().flat_map(|inner| self.beneath(*inner)).collect(),
            Node::File { .. } => Vec::new(),
        };
        [vec![node], inner].concat()
    }

    /// What is found after this loss.
    pub fn left(&self, loss: Loss) -> Tree {
        let mut tree = Tree::new();
        let Node::Folder { now, .. } = &self.nodes[0] else { panic!("no disks") };
        now.iter().for_each(|(disk, node)| self.collect(*node, disk, loss, &mut tree));
        tree
    }

    fn collect(&self, node: usize, path: &str, loss: Loss, tree: &mut Tree) {
        match &self.nodes[node] {
            Node::File { now, kept, .. } => drop(tree.insert(path.into(), Some(content(now, kept, loss)))),
            Node::Folder { now, kept } => {
                tree.insert(path.into(), None);
                for (name, inner) in if loss == Loss::All { kept } else { now } {
                    self.collect(*inner, &format!("{path}/{name}"), loss, tree);
                }
            }
        }
    }
}

fn content(now: &[u8], kept: &[u8], loss: Loss) -> Vec<u8> {
    match (loss, now.strip_prefix(kept)) {
        (Loss::None, _) => now.to_vec(),
        (Loss::All | Loss::Data, _) | (_, None) => kept.to_vec(),
        (Loss::Half, Some(new)) => [kept, &new[..new.len() / 2]].concat(),
        (Loss::Zeros, Some(new)) => [kept, &vec![0; new.len()]].concat(),
    }
}

/// What is on the two disks.
pub fn tree(a: &Appliance) -> Tree {
    let mut tree = Tree::new();
    DISKS.iter().filter(|disk| a.path(disk).exists()).for_each(|disk| read(&a.path(disk), disk, &mut tree));
    tree
}

fn read(folder: &Path, path: &str, tree: &mut Tree) {
    tree.insert(path.into(), None);
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = format!("{path}/{}", entry.file_name().to_str().unwrap());
        match entry.file_type().unwrap().is_dir() {
            true => read(&entry.path(), &path, tree),
            false => drop(tree.insert(path, Some(std::fs::read(entry.path()).unwrap()))),
        }
    }
}

/// Puts the disks into this state.
pub fn restore(a: &Appliance, tree: &Tree) {
    DISKS
        .iter()
        .filter(|disk| a.path(disk).exists())
        .for_each(|disk| std::fs::remove_dir_all(a.path(disk)).unwrap());
    for (path, content) in tree {
        match content {
            Some(bytes) => a.write(path, bytes),
            None => std::fs::create_dir(a.path(path)).unwrap(),
        }
    }
}
