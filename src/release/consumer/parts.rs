//! A cluster's certificates in each combination that a consumer wants.

use crate::x509::pem;

/// Which certificates, in which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The intermediate alone.
    Certificate,
    /// From the intermediate upwards, the root left out.
    Path,
    /// From the intermediate upwards, its root last.
    Chain,
    /// Its root alone.
    Root,
    /// The roots that are trusted, byte for byte as in root-cert.pem.
    Roots,
    /// The same roots, its own first: for those who read the first alone.
    OwnRootFirst,
}

/// All of them, in PEM.
#[derive(Debug, Clone)]
pub struct Parts {
    path: Vec<String>,
    root: String,
    roots: Vec<String>,
}

impl Parts {
    /// Of DER: the path from the intermediate upwards, its root, and the roots that are trusted.
    pub fn new<'a>(
        path: impl IntoIterator<Item = &'a [u8]>,
        root: &[u8],
        trusted: impl IntoIterator<Item = &'a [u8]>,
    ) -> Self {
        Self {
            path: path.into_iter().map(pem::certificate).collect(),
            root: pem::certificate(root),
            roots: trusted.into_iter().map(pem::certificate).collect(),
        }
    }

    /// One of them, each certificate closed by a newline.
    pub fn get(&self, part: Part) -> String {
        match part {
            Part::Certificate => self.path.first().cloned().unwrap_or_default(),
            Part::Path => self.path.concat(),
            Part::Chain => self.path.concat() + &self.root,
            Part::Root => self.root.clone(),
            Part::Roots => self.roots.concat(),
            Part::OwnRootFirst => {
                let others = self.roots.iter().filter(|root| **root != self.root);
                self.root.clone() + &others.cloned().collect::<String>()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_has_its_certificates_in_order() {
        let [own, middle, root, other] = [&b"own"[..], b"middle", b"root", b"other"];
        let parts = Parts::new([own, middle], root, [other, root]);
        let all = |of: &[&[u8]]| of.iter().map(|der| pem::certificate(der)).collect::<String>();
        for (part, wanted) in [
            (Part::Certificate, &[own][..]),
            (Part::Path, &[own, middle]),
            (Part::Chain, &[own, middle, root]),
            (Part::Root, &[root]),
            (Part::Roots, &[other, root]),
            (Part::OwnRootFirst, &[root, other]),
        ] {
            assert_eq!(parts.get(part), all(wanted), "{part:?}");
        }
    }
}
