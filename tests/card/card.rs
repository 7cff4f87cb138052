//! A card and its applications: PIV, and of Yubico's OTP and management as much as tells
//! serial number, firmware and form.

use crate::apdu::{Answer, Command, Exchange, status};
use crate::piv::{self, Piv};
use crate::tlv::tlv;

pub struct Card {
    piv: Piv,
    exchange: Exchange,
    selected: Application,
}

#[derive(Clone, Copy, PartialEq)]
enum Application {
    Nothing,
    Piv,
    Otp,
    Management,
}

const OTP: &[u8] = &[0xa0, 0, 0, 5, 0x27, 0x20, 1];
const MANAGEMENT: &[u8] = &[0xa0, 0, 0, 5, 0x27, 0x47, 0x11, 0x17];

impl Card {
    pub fn new(piv: Piv) -> Self {
        Self { piv, exchange: Exchange::default(), selected: Application::Nothing }
    }

    /// Power on and off, and between.
    pub fn reset(&mut self) {
        self.piv.leave();
        self.exchange = Exchange::default();
        self.selected = Application::Nothing;
    }

    pub fn answer(&mut self, bytes: &[u8]) -> Vec<u8> {
        let (piv, selected) = (&mut self.piv, &mut self.selected);
        self.exchange.answer(bytes, |command| perform(piv, selected, &command))
    }
}

fn perform(piv: &mut Piv, selected: &mut Application, command: &Command) -> Answer {
    match (command.ins, *selected) {
        (0xa4, _) => select(piv, selected, command),
        (_, Application::Piv) => piv.perform(command),
        (0x01, Application::Otp) if command.p1 == 0x10 => Ok(piv.state.serial.to_be_bytes().into()),
        (0x03, Application::Otp) => Ok(otp_status(piv)),
        (0x1d, Application::Management) => Ok(device_info(piv)),
        _ => Err(status::UNKNOWN_INS),
    }
}

fn select(piv: &mut Piv, selected: &mut Application, command: &Command) -> Answer {
    if command.p1 != 4 {
        return Err(status::BAD_P1_P2);
    }
    let application = match command.data.as_slice() {
        aid if aid.starts_with(piv::AID) => Application::Piv,
        aid if aid.starts_with(OTP) => Application::Otp,
        MANAGEMENT => Application::Management,
        _ => return Err(status::NOT_FOUND),
    };
    piv.leave();
    *selected = application;
    match application {
        Application::Otp => Ok(otp_status(piv)),
        Application::Management => {
            let [major, minor, patch] = piv.state.version;
            Ok(format!("Virtual mgr - FW version {major}.{minor}.{patch}").into())
        }
        _ => piv.select(),
    }
}

/// Firmware; and nothing is programmed.
fn otp_status(piv: &Piv) -> Vec<u8> {
    [&piv.state.version[..], &[0, 0, 0]].concat()
}

/// READ CONFIG: what is there and enabled (PIV alone), serial number, form, firmware.
fn device_info(piv: &Piv) -> Vec<u8> {
    let info = [
        tlv(1, &[0x10]),
        tlv(2, &piv.state.serial.to_be_bytes()),
        tlv(3, &[0x10]),
        tlv(4, &[crate::attestation::USB_C]),
        tlv(5, &piv.state.version),
    ]
    .concat();
    [vec![info.len() as u8], info].concat()
}
