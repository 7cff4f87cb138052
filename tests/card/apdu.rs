//! Commands and answers as ISO/IEC 7816-4 writes them: short and extended length,
//! chained commands, answers in pieces.

/// Status words; their names as in SP 800-73-4 part 2 and in Yubico's PIV pages.
pub mod status {
    pub const OK: u16 = 0x9000;
    pub const WRONG_LENGTH: u16 = 0x6700;
    pub const SECURITY: u16 = 0x6982;
    pub const BLOCKED: u16 = 0x6983;
    pub const CONDITIONS: u16 = 0x6985;
    pub const BAD_DATA: u16 = 0x6a80;
    pub const NOT_FOUND: u16 = 0x6a82;
    pub const BAD_P1_P2: u16 = 0x6a86;
    pub const NO_KEY: u16 = 0x6a88;
    pub const WRONG_SLOT: u16 = 0x6b00;
    pub const UNKNOWN_INS: u16 = 0x6d00;

    /// Wrong, and so many tries are left.
    pub fn tries(left: u8) -> u16 {
        0x63c0 | u16::from(left & 0xf)
    }
}

/// What a command gives, or the status word of its refusal.
pub type Answer = Result<Vec<u8>, u16>;

pub struct Command {
    pub ins: u8,
    pub p1: u8,
    pub p2: u8,
    pub data: Vec<u8>,
}

/// Joins chained commands, and hands out answers in pieces.
#[derive(Default)]
pub struct Exchange {
    chained: Vec<u8>,
    pending: Vec<u8>,
    status: u16,
}

/// A chained command that is longer than this does not fit into a YubiKey.
const LONGEST: usize = 3072;

impl Exchange {
    /// The answer to these bytes; `perform` gets the commands that are whole.
    pub fn answer(&mut self, bytes: &[u8], perform: impl FnOnce(Command) -> Answer) -> Vec<u8> {
        let Some((head, data, most)) = split(bytes) else { return status::WRONG_LENGTH.to_be_bytes().into() };
        let [class, ins, p1, p2] = head;
        if ins == 0xc0 {
            return self.piece(most);
        }
        self.chained.extend(data);
        if class & 0x10 != 0 && self.chained.len() <= LONGEST {
            return status::OK.to_be_bytes().into();
        }
        let data = std::mem::take(&mut self.chained);
        if data.len() > LONGEST {
            return status::WRONG_LENGTH.to_be_bytes().into();
        }
        (self.pending, self.status) = match perform(Command { ins, p1, p2, data }) {
            Ok(answer) => (answer, status::OK),
            Err(status) => (Vec::new(), status),
        };
        self.piece(most)
    }

    /// The next bytes of the answer, and whether there are more.
    fn piece(&mut self, most: usize) -> Vec<u8> {
        let rest = self.pending.split_off(self.pending.len().min(most));
        let mut piece = std::mem::replace(&mut self.pending, rest);
        let status = match self.pending.len() {
            0 => self.status,
            more => 0x6100 | u16::try_from(more).map_or(0, |more| if more < 0x100 { more } else { 0 }),
        };
        piece.extend(status.to_be_bytes());
        piece
    }
}

/// Header, data, and how long an answer may be.
fn split(bytes: &[u8]) -> Option<([u8; 4], &[u8], usize)> {
    let (head, body) = bytes.split_first_chunk::<4>()?;
    let (data, most) = match body {
        [] | [_] => (&body[..0], 256),
        [0, _, _] => (&body[..0], 65_536),
        [0, high, low, rest @ ..] => {
            let (data, le) = rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))?;
            (data, if le.is_empty() { 256 } else { 65_536 })
        }
        [length, rest @ ..] => (rest.split_at_checked(usize::from(*length))?.0, 256),
    };
    Some((*head, data, most))
}
