//! As much of HTTP as is needed to talk to programs of our own on this machine.

use anyhow::{Context, Result};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// Asks and gives status and body.
///
/// # Errors
/// Nobody answers at the address, or not in HTTP.
pub(crate) fn ask(method: &str, address: SocketAddr, path: &str, body: &str) -> Result<(u16, String)> {
    let limit = Duration::from_secs(5);
    let mut stream =
        TcpStream::connect_timeout(&address, limit).with_context(|| format!("nobody at {address}"))?;
    stream.set_read_timeout(Some(limit))?;
    // HTTP/1.0 keeps the answer in one piece, ended by the end of the connection.
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).with_context(|| format!("{address} broke off"))?;
    let (head, body) = answer.split_once("\r\n\r\n").with_context(|| format!("{address} speaks no HTTP"))?;
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    Ok((status.with_context(|| format!("{address} speaks no HTTP"))?, body.to_owned()))
}

/// The port that was wished for, or a free one if it is taken.
pub(crate) fn free_port(wished: u16) -> Result<u16> {
    let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).and_then(|l| l.local_addr());
    Ok(bind(wished).or_else(|_| bind(0)).context("no free port on this machine")?.port())
}
