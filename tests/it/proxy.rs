//! A line that misbehaves: a TCP proxy that cuts, delays, resets, closes one half, and sends a request twice.

use crate::playground::Dice;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Listens until the test ends.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    target: Mutex<Option<SocketAddr>>,
    kind: AtomicBool,
    /// Open connections; they are cut when the line becomes kind.
    open: Mutex<Vec<TcpStream>>,
    told: Mutex<BTreeMap<&'static str, u64>>,
}

/// What happens to one connection.
#[derive(Clone, Copy)]
enum Fate {
    Through,
    /// Nothing gets through at all.
    Cut,
    /// Every piece waits so long.
    Delay(u64),
    /// Reset after so many bytes, of the request or of the answers.
    Reset(u64, bool),
    /// No more than so many bytes of the request, then its end; the other direction stays open.
    HalfClose(u64),
    /// What was asked is asked once more, over another connection.
    Twice,
}

impl Fate {
    fn of(dice: &mut Dice) -> (Self, &'static str) {
        match dice.below(12) {
            0 => (Fate::Cut, "cut"),
            1 => (Fate::Delay(1 + dice.below(60)), "delayed"),
            2 | 3 => (Fate::Reset(somewhere(dice), true), "reset while asking"),
            4 | 5 => (Fate::Reset(dice.below(900), false), "reset while answering"),
            6 => (Fate::HalfClose(somewhere(dice)), "half closed"),
            7 | 8 => (Fate::Twice, "asked twice"),
            _ => (Fate::Through, "left alone"),
        }
    }
}

/// In a head, or somewhere in a document.
fn somewhere(dice: &mut Dice) -> u64 {
    let most = if dice.below(2) == 0 { 1_500 } else { 30_000 };
    dice.below(most)
}

impl Proxy {
    /// Opens a port and deals out fates by the seed.
    pub(crate) fn start(seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            target: Mutex::new(None),
            kind: AtomicBool::new(false),
            open: Mutex::default(),
            told: Mutex::default(),
        });
        let own = Arc::clone(&shared);
        let seeds = AtomicU64::new(seed);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let mut dice = Dice(seeds.fetch_add(0x51_7c_c1, Ordering::Relaxed));
                let (fate, name) = if own.kind.load(Ordering::SeqCst) {
                    (Fate::Through, "kind")
                } else {
                    Fate::of(&mut dice)
                };
                *own.told.lock().unwrap().entry(name).or_default() += 1;
                let shared = Arc::clone(&own);
                std::thread::spawn(move || drop(serve(&client, fate, &shared)));
            }
        });
        Proxy { address, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on to there.
    pub(crate) fn towards(&self, target: SocketAddr) {
        *self.shared.target.lock().unwrap() = Some(target);
    }

    /// No faults any more; connections that had one are cut.
    pub(crate) fn be_kind(&self) {
        self.shared.kind.store(true, Ordering::SeqCst);
        for stream in self.shared.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// How often what happened.
    pub(crate) fn told(&self) -> String {
        format!("{:?}", self.shared.told.lock().unwrap())
    }
}

fn serve(client: &TcpStream, fate: Fate, shared: &Shared) -> std::io::Result<()> {
    let target = shared.target.lock().unwrap().ok_or(std::io::ErrorKind::NotConnected)?;
    if matches!(fate, Fate::Cut) {
        return reset(client);
    }
    let server = TcpStream::connect(target)?;
    for stream in [client, &server] {
        stream.set_nodelay(true)?;
        shared.open.lock().unwrap().push(stream.try_clone()?);
    }
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (from_client, to_server) = (client.try_clone()?, server.try_clone()?);
    let heard = Arc::clone(&asked);
    let asking = std::thread::spawn(move || {
        let limit = match fate {
            Fate::Reset(bytes, true) | Fate::HalfClose(bytes) => Some(bytes),
            _ => None,
        };
        let whole = pump(&from_client, &to_server, fate, limit, |bytes| {
            heard.lock().unwrap().extend_from_slice(bytes);
        });
        match fate {
            Fate::Reset(..) if !whole => {
                let _ = reset(&from_client);
                let _ = reset(&to_server);
            }
            _ => drop(to_server.shutdown(Shutdown::Write)),
        }
    });
    let limit = match fate {
        Fate::Reset(bytes, false) => Some(bytes),
        _ => None,
    };
    let mut again = matches!(fate, Fate::Twice);
    let whole = pump(&server, client, fate, limit, |_| {
        if std::mem::take(&mut again) {
            let asked = asked.lock().unwrap().clone();
            std::thread::spawn(move || drop(ask_again(target, &asked)));
        }
    });
    if whole {
        let _ = client.shutdown(Shutdown::Write);
    } else {
        reset(client)?;
        reset(&server)?;
    }
    let _ = asking.join();
    Ok(())
}

/// Passes bytes on to their end (`true`) or up to a limit.
fn pump(
    mut from: &TcpStream,
    mut to: &TcpStream,
    fate: Fate,
    limit: Option<u64>,
    mut seen: impl FnMut(&[u8]),
) -> bool {
    let mut left = limit.unwrap_or(u64::MAX);
    let mut buffer = [0u8; 4096];
    loop {
        let Ok(count @ 1..) = from.read(&mut buffer) else { return true };
        if let Fate::Delay(ms) = fate {
            std::thread::sleep(Duration::from_millis(ms));
        }
        let passed = count.min(usize::try_from(left).unwrap_or(usize::MAX));
        seen(&buffer[..passed]);
        if to.write_all(&buffer[..passed]).is_err() {
            return true;
        }
        left -= passed as u64;
        if left == 0 {
            return false;
        }
    }
}

/// The same bytes over a connection of their own; the answer is nobody's.
fn ask_again(target: SocketAddr, asked: &[u8]) -> std::io::Result<()> {
    let mut server = TcpStream::connect(target)?;
    server.set_read_timeout(Some(Duration::from_secs(2)))?;
    server.write_all(asked)?;
    let _ = server.read(&mut [0u8; 4096]);
    Ok(())
}

/// Ends a connection the hard way: whatever is on its way is lost.
fn reset(stream: &TcpStream) -> std::io::Result<()> {
    rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO))?;
    stream.shutdown(Shutdown::Both)
}
