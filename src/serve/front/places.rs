//! The places of a door: how many connections there are at once, in all and from one address, so that one stranger never has
//! all of them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places of one door.
#[derive(Clone)]
pub(super) struct Places {
    room: Arc<Semaphore>,
    taken: Taken,
    /// From one address at most.
    most_of_one: usize,
}

/// How many each address has.
type Taken = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// A place, free again when it is dropped.
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
    /// Whose it is, where they are counted.
    whose: Option<(IpAddr, Taken)>,
}

impl Places {
    /// So many in all; of these three quarters for one address at most.
    pub(super) fn new(all: usize) -> Self {
        Places { room: Arc::new(Semaphore::new(all)), taken: Arc::default(), most_of_one: all - all / 4 }
    }

    /// Waits until there is a place at all.
    pub(super) async fn one(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.room).acquire_owned().await.ok()
    }

    /// Gives the place to whoever came; none where they have all that one may have. A proxy on this machine brings
    /// everybody, and is not counted.
    pub(super) fn give(&self, permit: OwnedSemaphorePermit, address: IpAddr) -> Option<Place> {
        let address = neighbourhood(address);
        if address.is_loopback() {
            return Some(Place { _permit: permit, whose: None });
        }
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(address).or_default();
        if *count >= self.most_of_one {
            return None;
        }
        *count += 1;
        Some(Place { _permit: permit, whose: Some((address, Arc::clone(&self.taken))) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((address, taken)) = &self.whose else { return };
        let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(address) {
            *count -= 1;
            if *count == 0 {
                taken.remove(address);
            }
        }
    }
}

/// Whose it is: an IPv6 network of 64 bits is one house (RFC 4291 2.5.4), and an IPv4 address may be written as an IPv6 one.
fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_address_never_has_all_places_and_gets_them_back() {
        let places = Places::new(8);
        let take = async |address: &str| {
            let permit = places.one().await.unwrap();
            places.give(permit, address.parse().unwrap())
        };
        let mut stranger = Vec::new();
        for _ in 0..6 {
            stranger.push(take("203.0.113.7").await.unwrap());
        }
        assert!(take("203.0.113.7").await.is_none());
        assert!(take("::ffff:203.0.113.7").await.is_none(), "the same in another dress");
        let neighbour = take("198.51.100.2").await.unwrap();
        drop(stranger.pop());
        stranger.push(take("203.0.113.7").await.unwrap());
        drop((stranger, neighbour));
        assert!(places.taken.lock().unwrap().is_empty());
        assert_eq!(places.room.available_permits(), 8);
    }

    #[tokio::test]
    async fn a_network_of_ipv6_is_one_house_and_a_proxy_here_is_everybody() {
        let places = Places::new(4);
        let take = async |address: &str| {
            let permit = places.one().await.unwrap();
            places.give(permit, address.parse().unwrap())
        };
        let mut held = vec![take("2001:db8::1").await, take("2001:db8::2").await, take("2001:db8::3").await];
        assert!(held.iter().all(Option::is_some));
        assert!(take("2001:db8::4").await.is_none());
        held.clear();
        for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "127.0.0.1"] {
            held.push(take(address).await);
        }
        assert!(held.iter().all(Option::is_some));
    }
}
