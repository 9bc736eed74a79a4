//! A message of a gigabyte goes through in little memory, by DATA and by BDAT, from either client.
//!
//! Without optimisation that takes minutes; then it is a sixteenth of that, still several times what may be in memory.
#![cfg(target_os = "linux")]

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::thread;

use okuru::{Chunking, Content, Message, Options, Summary, Tls};

/// Octets, all of them in lines of 64, of which one in 64 begins with a dot.
const SIZE: u64 = if cfg!(debug_assertions) { 1 << 26 } else { 1 << 30 };

/// More than this the client must not need, with everything else that is in its process.
const MOST_KILOBYTES: u64 = 16 << 10;

const LINES: usize = 64;

fn block() -> Vec<u8> {
    (0..LINES).flat_map(|i| format!("{}{}\r\n", if i == 7 { "." } else { "x" }, "y".repeat(61)).into_bytes()).collect()
}

/// Content that is nowhere in memory as a whole.
struct Lines {
    block: Vec<u8>,
    at: u64,
}

impl Read for Lines {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let begin = (self.at % self.block.len() as u64) as usize;
        let length = (self.block.len() - begin).min(buffer.len()).min((SIZE - self.at) as usize);
        buffer[..length].copy_from_slice(&self.block[begin..begin + length]);
        self.at += length as u64;
        Ok(length)
    }
}

/// The server in its own process counts what comes; the client in another says how much memory it has needed.
#[test]
fn a_gigabyte() {
    if let Ok(job) = std::env::var("OKURU_LARGE") {
        return send(&job);
    }
    for client in ["blocking", "tokio"] {
        for chunking in ["DATA", "BDAT"] {
            let (address, octets) = count();
            let output = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "a_gigabyte", "--nocapture"])
                .env("OKURU_LARGE", format!("{client} {chunking} {address}"))
                .output()
                .unwrap();
            assert!(output.status.success(), "{client} {chunking}: {}", String::from_utf8_lossy(&output.stderr));
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let peak = said.lines().find_map(|line| line.strip_prefix("peak ")?.parse::<u64>().ok()).unwrap();
            let dots = if chunking == "DATA" { SIZE / block().len() as u64 } else { 0 };
            assert_eq!(octets.join().unwrap(), SIZE + dots, "{client} {chunking}");
            println!("{client} {chunking}: {peak} kB");
            assert!(peak < MOST_KILOBYTES, "{client} {chunking}: {peak} kB");
        }
    }
}

fn send(job: &str) {
    let [client, chunking, address] = job.split(' ').collect::<Vec<_>>()[..] else {
        panic!("{job:?}");
    };
    let chunking = if chunking == "BDAT" { Chunking::Prefer } else { Chunking::Never };
    let options = Options::new(&format!("smtp://{address}")).unwrap().tls(Tls::None).chunking(chunking);
    let content = Content::reader(Lines { block: block(), at: 0 }, Some(SIZE));
    let message = Message::new("a@foo.com", ["b@bar.com"], content).unwrap();
    let outcome = if client == "tokio" {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(okuru::Client::new(options).send(message))
    } else {
        okuru::blocking::Client::new(options).send(message)
    };
    assert_eq!(outcome.summary(), Summary::Accepted, "{:?}", outcome.error);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")).unwrap();
    println!("\npeak {peak}");
}

/// A server for one message, and how many octets of content it got, as they were on the wire.
fn count() -> (SocketAddr, thread::JoinHandle<u64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (address, thread::spawn(move || serve(listener.accept().unwrap().0)))
}

fn serve(mut stream: TcpStream) -> u64 {
    let mut buffer = vec![0; 1 << 20];
    let (mut begin, mut end) = (0, 0);
    let mut total = 0;
    stream.write_all(b"220 hi\r\n").unwrap();
    loop {
        if let Some(length) = buffer[begin..end].iter().position(|&byte| byte == b'\n') {
            let line = String::from_utf8_lossy(&buffer[begin..begin + length]).trim_end().to_owned();
            begin += length + 1;
            let verb = line.split(' ').next().unwrap();
            if verb == "EHLO" {
                stream.write_all(b"250-x\r\n250 CHUNKING\r\n").unwrap();
                continue;
            } else if verb == "BDAT" {
                let mut left: u64 = line.split(' ').nth(1).unwrap().parse().unwrap();
                total += left;
                let there = left.min((end - begin) as u64);
                (begin, left) = (begin + there as usize, left - there);
                while left > 0 {
                    let most = buffer.len().min(left as usize);
                    let length = stream.read(&mut buffer[..most]).unwrap();
                    left -= length as u64;
                    (begin, end) = (0, 0);
                }
                stream.write_all(b"250 ok\r\n").unwrap();
                if line.ends_with("LAST") {
                    return total;
                }
                continue;
            } else if verb == "DATA" {
                assert_eq!(begin, end);
                stream.write_all(b"354 go\r\n").unwrap();
                let mut tail = Vec::new();
                while tail != b"\r\n.\r\n" {
                    let length = stream.read(&mut buffer).unwrap();
                    assert!(length > 0, "the content does not end");
                    total += length as u64;
                    tail.extend_from_slice(&buffer[length.saturating_sub(5)..length]);
                    tail.drain(..tail.len().saturating_sub(5));
                }
                stream.write_all(b"250 ok\r\n").unwrap();
                return total - 3;
            }
            stream.write_all(b"250 ok\r\n").unwrap();
            continue;
        }
        (begin, end) = (0, end - begin);
        end += stream.read(&mut buffer[end..]).unwrap();
    }
}
