//! A card on the virtual reader of vsmartcard-vpcd. The wire: two bytes of length, then so many bytes.

use super::Card;
use rustix::net::sockopt::set_tcp_quickack;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A card that lies on a reader, answering in a thread of its own.
pub(crate) struct Laid {
    taken: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<Card>>,
}

/// How a card left the reader.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Left {
    /// It was pulled out in the middle of a command.
    Pulled,
    /// Somebody took it, or the reader is gone.
    Over,
}

impl Laid {
    /// Lays it there; a card that is pulled lies there again after `away`.
    pub(crate) fn on(reader: SocketAddr, mut card: Card, away: Duration) -> Laid {
        let taken = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&taken);
        let thread = std::thread::spawn(move || {
            while serve(&mut card, reader, &stop)? == Left::Pulled {
                std::thread::sleep(away);
            }
            Ok(card)
        });
        Laid { taken, thread }
    }

    /// Waits until the reader is gone, and gives the card back.
    pub(crate) fn wait(self) -> io::Result<Card> {
        self.thread.join().unwrap()
    }

    /// Takes the card off the reader.
    pub(crate) fn take(self) -> io::Result<Card> {
        self.taken.store(true, Ordering::Relaxed);
        self.wait()
    }
}

/// Lets a card answer until one of the two is gone. The reader may still be starting.
fn serve(card: &mut Card, reader: SocketAddr, taken: &AtomicBool) -> io::Result<Left> {
    let began = Instant::now();
    let mut wire = loop {
        match TcpStream::connect(reader) {
            Ok(wire) => break wire,
            Err(error) if began.elapsed() > Duration::from_secs(10) => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    wire.set_nodelay(true)?;
    loop {
        let Some(message) = receive(&mut wire, taken)? else { return Ok(Left::Over) };
        match message[..] {
            // Off, on, reset: no answer.
            [0..=2] => card.power_off(),
            [4] => send(&mut wire, &card.atr())?,
            _ => {
                let answer = card.answer(&message);
                if answer.is_empty() {
                    return Ok(Left::Pulled);
                }
                send(&mut wire, &answer)?;
            }
        }
    }
}

fn receive(wire: &mut TcpStream, taken: &AtomicBool) -> io::Result<Option<Vec<u8>>> {
    // Nothing is half read when the card is taken: what is there is only looked at.
    wire.set_read_timeout(Some(Duration::from_millis(50)))?;
    loop {
        match wire.peek(&mut [0; 1]) {
            _ if taken.load(Ordering::Relaxed) => return Ok(None),
            Ok(0) => return Ok(None),
            // vpcd sends length and command apart, and the kernel keeps the second back until the first is
            // acknowledged, which would wait 40 ms for an answer to travel with.
            Ok(_) => break set_tcp_quickack(&*wire, true)?,
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                ErrorKind::ConnectionReset => return Ok(None),
                _ => return Err(error),
            },
        }
    }
    wire.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut length = [0; 2];
    wire.read_exact(&mut length)?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    wire.read_exact(&mut message)?;
    Ok(Some(message))
}

fn send(wire: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
    wire.write_all(&[&length.to_be_bytes(), bytes].concat())
}
