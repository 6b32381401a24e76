//! Where clients connect: one port at a loopback address for the contact point and each peer.

use std::io;
use std::net::{IpAddr, Ipv4Addr, TcpListener};

use crate::error::{Error, ErrorKind};

/// Refuses at once a port that somebody has, before anything else is started. A port of 0 is any that is free.
pub(crate) fn check(port: u16) -> Result<(), Error> {
    if port == 0 { Ok(()) } else { TcpListener::bind((FIRST, port)).map(drop).map_err(|error| in_use(port, error)) }
}

/// Listens at 127.0.0.1 to 127.0.0.`peers`, on one port, and at least at 127.0.0.1. Where the system has only that
/// address, as macOS does, it is the only one.
pub(crate) fn listen(port: u16, peers: u8) -> Result<Vec<TcpListener>, Error> {
    let mut failed = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..TRIES {
        match listen_at(port, peers) {
            Ok(listeners) => return Ok(listeners),
            Err(error) => failed = error,
        }
        // With any port allowed, one that is free at the first address may be taken at another.
        if port != 0 || failed.kind() != io::ErrorKind::AddrInUse {
            break;
        }
    }
    Err(in_use(port, failed))
}

const FIRST: Ipv4Addr = Ipv4Addr::LOCALHOST;
const TRIES: usize = 20;

fn listen_at(port: u16, peers: u8) -> io::Result<Vec<TcpListener>> {
    let first = TcpListener::bind((FIRST, port))?;
    let port = first.local_addr()?.port();
    let mut listeners = vec![first];
    for last in 2..=peers {
        let address = IpAddr::from([127, 0, 0, last]);
        match TcpListener::bind((address, port)) {
            Ok(listener) => listeners.push(listener),
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => break,
            Err(error) => return Err(error),
        }
    }
    Ok(listeners)
}

fn in_use(port: u16, error: io::Error) -> Error {
    let problem = format!(
        "port {port} of 127.0.0.1 and its neighbours cannot be listened at: {error}. Choose another, or 0 for any that \
         is free"
    );
    Error::new(ErrorKind::Listen, problem).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_peer_has_an_address_on_the_same_port() {
        for (peers, count) in [(0, 1), (1, 1), (9, 9)] {
            let listeners = listen(0, peers).unwrap();
            let addresses: Vec<_> = listeners.iter().map(|listener| listener.local_addr().unwrap()).collect();
            assert_eq!(addresses.len(), count);
            for (address, last) in addresses.iter().zip(1..) {
                assert_eq!(address.ip(), IpAddr::from([127, 0, 0, last]));
                assert_eq!(address.port(), addresses[0].port());
            }
        }
    }

    #[test]
    fn a_port_that_is_taken_is_named() {
        let taken = listen(0, 1).unwrap()[0].local_addr().unwrap().port();
        assert!(check(taken).is_ok() && check(0).is_ok());
        let held = listen(taken, 1).unwrap();
        for error in [check(taken).unwrap_err(), listen(taken, 9).unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::Listen);
            let said = format!(
                "port {taken} of 127.0.0.1 and its neighbours cannot be listened at: Address already in use (os error \
                 98). Choose another, or 0 for any that is free"
            );
            assert_eq!(error.to_string(), said);
        }
        drop(held);
    }
}
