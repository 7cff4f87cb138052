//! What stands around a token: its module, its PIN, its daemons, a desk with two sticks.

use std::process::{Child, Command, Stdio};

use crate::appliance::{Appliance, Ran, ran};
use crate::card_host::{Card, Host};
use crate::errors::terminal::{Session, driver, session};

pub struct Rig {
    pub appliance: Appliance,
    /// The token's URI; with a module, or of a kind that needs none.
    pub uri: String,
    pub module: Option<String>,
    pub module_args: Option<String>,
    /// For all that talks to it.
    pub environment: Vec<(&'static str, String)>,
    /// Keys and certificate that were there before, where the token makes none.
    pub there: Option<There>,
    // fields are dropped in this order: the card before its reader
    pub card: Option<Card>,
    pub host: Option<Host>,
    pub daemons: Vec<Daemon>,
}

/// A root that was made elsewhere.
pub struct There {
    pub certificate: String,
    pub root_key: String,
    pub journal_key: String,
}

impl Rig {
    pub fn new(pin: &str, uri: &str) -> Self {
        Self {
            appliance: Appliance::empty(pin),
            uri: uri.into(),
            module: None,
            module_args: None,
            environment: Vec::new(),
            there: None,
            card: None,
            host: None,
            daemons: Vec::new(),
        }
    }

    pub fn anchorite(&self, args: &[&str]) -> Ran {
        self.run(env!("CARGO_BIN_EXE_anchorite"), args)
    }

    /// A program where the token is.
    pub fn run(&self, program: &str, args: &[&str]) -> Ran {
        let mut command = self.appliance.command(program);
        command.args(args).envs(self.environment.iter().map(|(name, value)| (name, value)));
        let mut command = self.host.as_ref().map_or(command_of(&command), |host| host.enter(&command));
        ran(command.output().unwrap())
    }

    /// At a terminal, with a person who answers each prompt.
    pub fn at_terminal(&self, steps: &[(&str, &str)], args: &[&str]) -> Session {
        let mut command = driver(&self.appliance, steps, args);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        match &self.host {
            Some(host) => session(&mut host.enter(&command)),
            None => session(&mut command),
        }
    }

    /// A verb that asks for the PIN and for consent.
    pub fn verb(&self, args: &[&str]) -> Ran {
        let pin = self.arg("pin");
        self.anchorite(&[args, &["--yes", "--pin-file", &pin]].concat())
    }

    /// The module, for verbs without a home.
    pub fn module(&self) -> Vec<String> {
        let mut args = Vec::new();
        for (option, value) in [("--module", &self.module), ("--module-args", &self.module_args)] {
            args.extend(value.iter().flat_map(|value| [option.to_string(), value.clone()]));
        }
        args
    }

    pub fn arg(&self, name: &str) -> String {
        self.appliance.path(name).to_str().unwrap().into()
    }
}

/// The same command again.
fn command_of(command: &Command) -> Command {
    let mut same = Command::new(command.get_program());
    same.args(command.get_args()).stdin(Stdio::null());
    same.current_dir(command.get_current_dir().unwrap());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => same.env(name, value),
            None => same.env_remove(name),
        };
    }
    same
}

/// A process that ends with the test, even if that is killed.
pub struct Daemon(Child);

impl Daemon {
    pub fn start(command: &Command) -> Self {
        let mut held = Command::new("setpriv");
        held.args(["--pdeathsig", "KILL", "--"]).arg(command.get_program()).args(command.get_args());
        held.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        held.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(held.spawn().unwrap_or_else(|e| panic!("setpriv cannot be run ({e}): it is in util-linux")))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
