//! What a card keeps when it is unplugged, in `card.json` of its folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub const FACTORY_PIN: &[u8; 8] = b"123456\xff\xff";
pub const FACTORY_PUK: &[u8; 8] = b"12345678";
pub const FACTORY_MANAGEMENT_KEY: [u8; 24] =
    [1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8];

/// Major, minor, patch.
pub type Version = [u8; 3];

#[derive(Serialize, Deserialize)]
pub struct State {
    pub serial: u32,
    pub version: Version,
    pub pin: Secret,
    pub puk: Secret,
    pub management: Management,
    /// By slot.
    pub keys: BTreeMap<u8, Key>,
    /// What is in tag 53, by the object's own tag in hexadecimal.
    pub objects: BTreeMap<String, Vec<u8>>,
    #[serde(skip)]
    folder: PathBuf,
}

/// PIN or PUK.
#[derive(Serialize, Deserialize)]
pub struct Secret {
    pub value: [u8; 8],
    pub tries: u8,
    pub left: u8,
}

#[derive(Serialize, Deserialize)]
pub struct Management {
    pub algorithm: u8,
    pub key: Vec<u8>,
    pub touch: bool,
}

#[derive(Serialize, Deserialize, Clone)]
pub struct Key {
    pub algorithm: u8,
    pub pkcs8: Vec<u8>,
    pub pin_policy: u8,
    pub touch_policy: u8,
    pub imported: bool,
}

impl Secret {
    pub fn new(value: &[u8; 8], tries: u8) -> Self {
        Self { value: *value, tries, left: tries }
    }
}

impl Management {
    /// AES-192 from firmware 5.7 on, before that 3DES.
    pub fn factory(version: Version) -> Self {
        let algorithm = if version >= [5, 7, 0] { 0x0a } else { 0x03 };
        Self { algorithm, key: FACTORY_MANAGEMENT_KEY.into(), touch: false }
    }
}

impl State {
    /// The card that lies in this folder.
    pub fn load(folder: &Path) -> Option<Self> {
        let json = std::fs::read(folder.join("card.json")).ok()?;
        let state: Self = serde_json::from_slice(&json).expect("`card.json` is a card");
        Some(Self { folder: folder.into(), ..state })
    }

    /// A card as it comes, but for its attestation key.
    pub fn new(folder: &Path, serial: u32, version: Version) -> Self {
        Self {
            serial,
            version,
            pin: Secret::new(FACTORY_PIN, 3),
            puk: Secret::new(FACTORY_PUK, 3),
            management: Management::factory(version),
            keys: BTreeMap::new(),
            objects: BTreeMap::new(),
            folder: folder.into(),
        }
    }

    /// Whole or not at all: the process may be killed at any time.
    pub fn save(&self) {
        let json = serde_json::to_vec(self).expect("a card as JSON");
        let new = self.folder.join("card.json.new");
        std::fs::write(&new, json).expect("the card's folder can be written");
        std::fs::rename(new, self.folder.join("card.json")).expect("the same folder");
    }
}
