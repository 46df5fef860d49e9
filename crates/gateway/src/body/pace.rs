//! Streams: answers without a bound on their size, held to a pace, to a time and to the other side not falling silent
//! (REST data plane, section 15).

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame};
use tokio::time::{Instant, Sleep};

use super::BodyError;

const MEGABYTE: u64 = 1024 * 1024;

/// The pace after what goes at any: 2 MB/s.
const BYTES_PER_SECOND: u64 = 2 * MEGABYTE;

/// What a stream is held to.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How many bytes go through as fast as they come.
    free: u64,
    /// How long the other side may be silent.
    silence: Duration,
    /// When all of it must have gone.
    deadline: Instant,
}

impl Pace {
    /// An integration's: 10 MB, and 5 minutes of silence, as for Regional and Private endpoints.
    pub fn of_integration(deadline: Instant) -> Pace {
        Pace { free: 10 * MEGABYTE, silence: Duration::from_secs(300), deadline }
    }

    /// A function's by its own URL: 6 MB. It may be silent as long as it may run.
    pub fn of_function(deadline: Instant) -> Pace {
        Pace { free: 6 * MEGABYTE, silence: Duration::MAX, deadline }
    }
}

/// A stream on its way to the client.
pub(super) struct Paced<S> {
    source: S,
    /// How much may still go at any pace.
    free: u64,
    /// When the next part may go.
    ready: Instant,
    /// Since when the source has been waited for.
    waiting: Option<Instant>,
    silence: Duration,
    deadline: Instant,
    timer: Pin<Box<Sleep>>,
}

impl<S> Paced<S> {
    pub(super) fn new(source: S, pace: Pace) -> Paced<S> {
        let Pace { free, silence, deadline } = pace;
        let timer = Box::pin(tokio::time::sleep_until(deadline));
        Paced { source, free, ready: Instant::now(), waiting: None, silence, deadline, timer }
    }

    /// Notes what goes to the client now, and when the next part may.
    fn count(&mut self, bytes: u64, now: Instant) {
        let free = bytes.min(self.free);
        self.free -= free;
        let nanoseconds = (bytes - free).saturating_mul(1_000_000_000) / BYTES_PER_SECOND;
        self.ready = self.ready.max(now) + Duration::from_nanos(nanoseconds);
    }

    /// Waits until `then`.
    fn sleep(&mut self, then: Instant, context: &mut Context<'_>) -> Poll<()> {
        self.timer.as_mut().reset(then);
        self.timer.as_mut().poll(context)
    }
}

impl<S> HttpBody for Paced<S>
where
    S: HttpBody<Data = Bytes, Error: Into<BodyError>> + Unpin,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let late = |reason: &'static str| Poll::Ready(Some(Err(reason.into())));
        loop {
            let now = Instant::now();
            if now >= this.deadline {
                return late("the stream took longer than the integration's timeout");
            }
            if now < this.ready {
                match this.sleep(this.ready.min(this.deadline), context) {
                    Poll::Ready(()) => continue,
                    Poll::Pending => return Poll::Pending,
                }
            }
            let Poll::Ready(frame) = Pin::new(&mut this.source).poll_frame(context) else {
                let waiting = *this.waiting.get_or_insert(now);
                let silent = waiting.checked_add(this.silence).unwrap_or(this.deadline);
                if now >= silent {
                    return late("the other side fell silent");
                }
                match this.sleep(silent.min(this.deadline), context) {
                    Poll::Ready(()) => continue,
                    Poll::Pending => return Poll::Pending,
                }
            };
            this.waiting = None;
            if let Some(data) = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()) {
                this.count(data.len() as u64, now);
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.source.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    /// A body that a test feeds.
    struct Fed(mpsc::Receiver<Bytes>);

    impl HttpBody for Fed {
        type Data = Bytes;
        type Error = BodyError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
            self.0.poll_recv(context).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
        }
    }

    const MINUTE: Duration = Duration::from_secs(60);

    async fn next(body: &mut Paced<Fed>) -> Option<Result<Bytes, String>> {
        let frame = std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await;
        frame.map(|frame| frame.map(|frame| frame.into_data().unwrap()).map_err(|error| error.to_string()))
    }

    fn feed(megabytes: usize) -> Fed {
        let (sender, receiver) = mpsc::channel(megabytes.max(1));
        for _ in 0..megabytes {
            sender.try_send(Bytes::from(vec![0; 1024 * 1024])).unwrap();
        }
        Fed(receiver)
    }

    #[tokio::test(start_paused = true)]
    async fn ten_megabytes_go_at_once_and_two_a_second_after_that() {
        let began = Instant::now();
        let mut body = Paced::new(feed(30), Pace::of_integration(began + 15 * MINUTE));
        for megabyte in 0..30_u32 {
            assert!(next(&mut body).await.unwrap().is_ok());
            let expected = Duration::from_millis(500) * megabyte.saturating_sub(10);
            let took = began.elapsed();
            assert!(took >= expected && took < expected + Duration::from_millis(50), "{megabyte}: {took:?}");
        }
        assert_eq!(next(&mut body).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_other_side_may_be_silent_for_five_minutes() {
        let (sender, receiver) = mpsc::channel(1);
        let mut body = Paced::new(Fed(receiver), Pace::of_integration(Instant::now() + 60 * MINUTE));
        tokio::spawn(async move {
            for _ in 0..2 {
                tokio::time::sleep(5 * MINUTE - Duration::from_secs(1)).await;
                sender.send(Bytes::from_static(b"x")).await.unwrap();
            }
            tokio::time::sleep(60 * MINUTE).await;
        });
        assert_eq!(next(&mut body).await, Some(Ok(Bytes::from_static(b"x"))));
        // A client that takes its time is not the other side's silence.
        tokio::time::sleep(10 * MINUTE).await;
        assert_eq!(next(&mut body).await, Some(Ok(Bytes::from_static(b"x"))));
        let silent = Instant::now();
        assert_eq!(next(&mut body).await, Some(Err("the other side fell silent".to_owned())));
        assert!(silent.elapsed() < 5 * MINUTE + Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn all_of_it_must_have_gone_in_time() {
        let began = Instant::now();
        let mut body = Paced::new(feed(30), Pace::of_integration(began + Duration::from_secs(2)));
        for _ in 0..14 {
            assert!(next(&mut body).await.unwrap().is_ok());
        }
        let late = "the stream took longer than the integration's timeout";
        assert_eq!(next(&mut body).await, Some(Err(late.to_owned())));
        assert!(began.elapsed() >= Duration::from_secs(2) && began.elapsed() < Duration::from_secs(3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_function_has_six_megabytes_and_may_be_silent() {
        let began = Instant::now();
        let mut body = Paced::new(feed(8), Pace::of_function(began + 20 * MINUTE));
        for _ in 0..8 {
            assert!(next(&mut body).await.unwrap().is_ok());
        }
        // The seventh went at once, and the eighth when the seventh was paid for.
        assert!(began.elapsed() >= Duration::from_millis(500), "{:?}", began.elapsed());
        let (sender, receiver) = mpsc::channel(1);
        let mut body = Paced::new(Fed(receiver), Pace::of_function(Instant::now() + 20 * MINUTE));
        tokio::spawn(async move {
            tokio::time::sleep(14 * MINUTE).await;
            sender.send(Bytes::from_static(b"x")).await.unwrap();
        });
        assert_eq!(next(&mut body).await, Some(Ok(Bytes::from_static(b"x"))));
        assert_eq!(next(&mut body).await, None);
    }
}
