//! What both live sockets have in common: hello, frames in order, pings, and an end that says why.

use super::Shared;
use super::hub::Wire;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tieline_model::{Code, Millis, Refusal, TenantId, Timestamp};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// The longest sleep until a moment of the daemon's clock, so that a clock that is moved is noticed.
const SLICE: Duration = Duration::from_secs(1);
/// Sockets of a daemon that stops come back spread over this time.
const COME_BACK_WITHIN_MS: u64 = 15_000;
/// Read buffer of an idle socket.
const BUFFER: usize = 4_096;

/// What a socket is told that sent something unreadable.
pub(super) const BROKEN: &str = "a frame was far too long, or not WebSocket";

/// A frame that could not be sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lost {
    /// The other side is gone.
    Gone,
    /// The other side does not read.
    Slow,
}

/// Sets the sizes: what one frame may hold beyond `frame_max` is refused by name, what is far beyond ends the socket.
pub(super) fn sized(upgrade: WebSocketUpgrade, frame_max: u32) -> WebSocketUpgrade {
    let most = frame_max as usize * 2;
    upgrade.read_buffer_size(BUFFER).write_buffer_size(0).max_message_size(most).max_frame_size(most)
}

/// The half that hears.
pub(super) struct Ear {
    stream: SplitStream<WebSocket>,
    heard: Arc<AtomicBool>,
}

/// What was heard.
pub(super) enum Heard {
    Text(Utf8Bytes),
    /// Neither text nor control: nothing here speaks so.
    Strange,
    /// Too long by far, or not WebSocket; nothing more can be heard.
    Broken,
    Gone,
}

/// What a page says, understood by its kind of socket.
pub(super) trait Listener: Send {
    /// Takes one frame; false ends the socket.
    fn hear(&mut self, text: &str) -> impl Future<Output = bool> + Send;
    /// Has the other half say why the socket ends; false if it is gone.
    fn bye(&self, reason: &str) -> impl Future<Output = bool> + Send;
}

impl<L: Listener + Sync> Listener for &mut L {
    async fn hear(&mut self, text: &str) -> bool {
        (**self).hear(text).await
    }
    async fn bye(&self, reason: &str) -> bool {
        (**self).bye(reason).await
    }
}

/// Hears until either half is done.
pub(super) async fn listen(mut listener: impl Listener, mut ear: Ear, done: CancellationToken) {
    loop {
        let heard = tokio::select! {
            biased;
            () = done.cancelled() => break,
            heard = ear.next() => heard,
        };
        let going = match heard {
            Heard::Text(text) => listener.hear(&text).await,
            Heard::Strange => listener.bye("only text frames are spoken here").await,
            Heard::Broken => {
                listener.bye(BROKEN).await;
                done.cancelled().await;
                false
            }
            Heard::Gone => false,
        };
        if !going {
            break;
        }
    }
    done.cancel();
}

/// The half that speaks.
pub(super) struct Mouth {
    sink: SplitSink<WebSocket, Message>,
    heard: Arc<AtomicBool>,
    within: Duration,
    seq: u64,
    /// What the close frame says.
    code: u16,
}

pub(super) fn split(socket: WebSocket, within: Duration) -> (Ear, Mouth) {
    let (sink, stream) = socket.split();
    let heard = Arc::new(AtomicBool::new(true));
    (
        Ear { stream, heard: Arc::clone(&heard) },
        Mouth { sink, heard, within, seq: 0, code: close_code::NORMAL },
    )
}

impl Ear {
    pub(super) async fn next(&mut self) -> Heard {
        loop {
            let message = self.stream.next().await;
            self.heard.store(true, Ordering::Relaxed);
            match message {
                Some(Ok(Message::Text(text))) => return Heard::Text(text),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Binary(_))) => return Heard::Strange,
                Some(Err(_)) => return Heard::Broken,
                Some(Ok(Message::Close(_))) | None => return Heard::Gone,
            }
        }
    }

    /// The first frame, which says who it is.
    pub(super) async fn hello<T: DeserializeOwned>(&mut self, within: Duration) -> Result<T, String> {
        let late = || format!("no hello came within {} seconds", within.as_secs_f32());
        match timeout(within, self.next()).await.map_err(|_| late())? {
            Heard::Text(text) => {
                serde_json::from_str(&text).map_err(|_| "the first frame must be hello".to_owned())
            }
            Heard::Strange => Err("the first frame must be hello".to_owned()),
            Heard::Broken => Err(BROKEN.to_owned()),
            Heard::Gone => Err("the other side is gone".to_owned()),
        }
    }
}

impl Mouth {
    /// The number of the last frame that carries one.
    pub(super) fn seq(&self) -> u64 {
        self.seq
    }

    /// The number of the next frame that carries one.
    pub(super) fn next_seq(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    pub(super) async fn say(&mut self, frame: &impl Serialize) -> Result<(), Lost> {
        let text = serde_json::to_string(frame).expect("frames are plain data with text keys");
        self.send(Message::Text(text.into())).await
    }

    /// Says why, and closes.
    pub(super) async fn end(&mut self, bye: &impl Serialize) {
        if self.say(bye).await.is_ok() {
            let frame = CloseFrame { code: self.code, reason: Utf8Bytes::default() };
            // The other side may be gone already.
            let _ = self.send(Message::Close(Some(frame))).await;
        }
    }

    async fn ping(&mut self) -> Result<(), Lost> {
        self.heard.store(false, Ordering::Relaxed);
        self.send(Message::Ping(axum::body::Bytes::new())).await
    }

    async fn send(&mut self, message: Message) -> Result<(), Lost> {
        match timeout(self.within, self.sink.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Lost::Gone),
            Err(_) => Err(Lost::Slow),
        }
    }
}

/// How a socket turns pushes into frames.
pub(super) trait Speaker: Send {
    type Push: Send;

    /// Says what was pushed; false ends the socket (it has said why).
    fn tell(
        &mut self,
        mouth: &mut Mouth,
        push: Self::Push,
    ) -> impl Future<Output = Result<bool, Lost>> + Send;

    /// When [`Self::due`] must be called next.
    fn due_at(&self) -> Timestamp;

    /// The moment has come; false ends the socket.
    fn due(&mut self, mouth: &mut Mouth) -> impl Future<Output = Result<bool, Lost>> + Send;

    /// Ends the socket with a reason.
    fn bye(
        &self,
        mouth: &mut Mouth,
        reason: &str,
        reconnect_in: Option<Millis>,
    ) -> impl Future<Output = ()> + Send;
}

/// Speaks until the socket ends. `done` is cancelled by the half that hears.
pub(super) async fn speak<S: Speaker>(
    app: &Shared,
    mut mouth: Mouth,
    mut speaker: S,
    mut pushes: mpsc::Receiver<S::Push>,
    gone: CancellationToken,
    done: CancellationToken,
) {
    let http = &app.parts.settings.http;
    let (every, within) = (http.ping_every.std(), http.pong_within.std());
    let mut ping_at = Instant::now() + every;
    let mut answer_by: Option<Instant> = None;
    loop {
        let clock_left = Duration::from_millis(speaker.due_at().since(app.parts.clock.now()).0);
        let due = clock_left.is_zero();
        let going = tokio::select! {
            biased;
            () = done.cancelled() => break,
            () = gone.cancelled() => {
                mouth.code = close_code::AGAIN;
                speaker.bye(&mut mouth, "this connection did not keep up", Some(Millis::secs(1))).await;
                break;
            }
            () = app.stop.cancelled() => {
                let spread = Millis(rand::random_range(0..COME_BACK_WITHIN_MS));
                speaker.bye(&mut mouth, "the daemon is restarting", Some(spread)).await;
                break;
            }
            going = speaker.due(&mut mouth), if due => going,
            push = pushes.recv() => match push {
                Some(push) => speaker.tell(&mut mouth, push).await,
                None => break,
            },
            () = sleep_until(answer_by.unwrap_or(ping_at)) => match answer_by.take() {
                // Nothing at all came since the ping: the other side is gone (A8).
                Some(_) if !mouth.heard.load(Ordering::Relaxed) => break,
                Some(_) => Ok(true),
                None => {
                    ping_at = Instant::now() + every;
                    answer_by = Some(Instant::now() + within.min(every));
                    mouth.ping().await.map(|()| true)
                }
            },
            () = tokio::time::sleep(clock_left.min(SLICE)), if !due => Ok(true),
        };
        match going {
            Ok(true) => {}
            Err(Lost::Slow) if !gone.is_cancelled() => {
                app.parts.hub.count_slow();
                break;
            }
            Ok(false) | Err(Lost::Gone | Lost::Slow) => break,
        }
    }
    done.cancel();
}

/// A fresh pair: what the hub holds, and what the socket reads from.
pub(super) fn wire<P>(capacity: usize) -> (Wire<P>, mpsc::Receiver<P>) {
    let (push, pushes) = mpsc::channel(capacity);
    (Wire { push, gone: CancellationToken::new() }, pushes)
}

/// A text that is longer than frames may be; `None` if it is not.
pub(super) fn too_long(text: &str, max: u32) -> Option<Refusal> {
    let max = max as usize;
    (text.len() > max).then(|| {
        let message = format!("the frame has {} bytes; {max} is the limit. Send it in parts", text.len());
        Refusal::new(Code::TooLong, message).field("frame").limit(max as u64)
    })
}

/// The contact centre in a socket's address, where one is said, is the token's: by it the socket was brought here.
pub(super) fn check_tenant(said: Option<&TenantId>, of_token: &TenantId) -> Result<(), String> {
    match said {
        Some(said) if said != of_token => {
            Err("`tenant` in the address is not the one of the token; load the page again".to_owned())
        }
        Some(_) | None => Ok(()),
    }
}

/// A text that no message may hold.
pub(super) fn check_text(text: &str) -> Result<(), Refusal> {
    if text.trim().is_empty() {
        return Err(Refusal::new(Code::Invalid, "the message is empty").field("text"));
    }
    if text.contains('\0') {
        return Err(Refusal::new(Code::Invalid, "the message holds a NUL character").field("text"));
    }
    Ok(())
}
