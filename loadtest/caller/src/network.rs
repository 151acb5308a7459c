//! What the library runs on: tokio, but with tasks that end with their connection, and if wanted over a bad network.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, Runtime, TokioRuntime,
};

use crate::faults::Faults;
use crate::socket::BadSocket;

type Work<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Tasks that were begun; `None` when no more may be.
type Begun = Arc<Mutex<Option<Vec<Task>>>>;

/// The tasks of a connection. Dropped, it ends them: the library lets them go on, with a connection that nobody has any more but
/// whose host is asked for ever whether it is there.
#[derive(Debug)]
pub(crate) struct Tasks(Begun);

impl Tasks {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Some(Vec::new()))))
    }

    /// A runtime whose tasks these are.
    pub(crate) fn runtime(&self, faults: Faults) -> Arc<dyn Runtime> {
        Arc::new(Network {
            faults,
            begun: Arc::clone(&self.0),
            tokio: TokioRuntime,
        })
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        for task in list(&self.0).take().into_iter().flatten() {
            task.abort();
        }
    }
}

fn list(begun: &Begun) -> MutexGuard<'_, Option<Vec<Task>>> {
    // Each change is whole, whoever panicked.
    begun.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A task that both the library and [`Tasks`] may end.
#[derive(Clone)]
struct Task(Arc<dyn JoinHandle>);

impl std::fmt::Debug for Task {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Task").field(&self.is_finished()).finish()
    }
}

impl JoinHandle for Task {
    fn detach(&self) {
        self.0.detach();
    }

    fn abort(&self) {
        self.0.abort();
    }

    fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

/// The library's own runtime but for tasks, and UDP where it is bad.
#[derive(Debug)]
struct Network {
    faults: Faults,
    begun: Begun,
    tokio: TokioRuntime,
}

impl Runtime for Network {
    fn spawn(&self, work: Work<'static, ()>) -> Box<dyn JoinHandle> {
        let task = Task(Arc::from(self.tokio.spawn(work)));
        match &mut *list(&self.begun) {
            Some(begun) => {
                begun.retain(|task| !task.is_finished());
                begun.push(task.clone());
            }
            None => task.abort(),
        }
        Box::new(task)
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        if self.faults.are_of_the_network() {
            Ok(Arc::new(BadSocket::new(socket, self.faults)?))
        } else {
            self.tokio.wrap_udp_socket(socket)
        }
    }

    fn wrap_tcp_listener(&self, listener: std::net::TcpListener) -> io::Result<Arc<dyn AsyncTcpListener>> {
        self.tokio.wrap_tcp_listener(listener)
    }

    fn connect_tcp(&self, to: SocketAddr) -> Work<'_, io::Result<Arc<dyn AsyncTcpStream>>> {
        self.tokio.connect_tcp(to)
    }

    fn resolve_host<'a>(&'a self, host: &'a str) -> Work<'a, io::Result<Vec<SocketAddr>>> {
        self.tokio.resolve_host(host)
    }

    fn sleep(&self, duration: Duration) -> Work<'static, ()> {
        self.tokio.sleep(duration)
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        self.tokio.interval(period)
    }

    fn block_on(&self, work: Pin<Box<dyn Future<Output = ()> + '_>>) {
        self.tokio.block_on(work);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_tasks_of_a_connection_end_with_it() {
        let tasks = Tasks::new();
        let runtime = tasks.runtime(Faults::default());
        let endless = || Box::pin(std::future::pending());
        let begun = runtime.spawn(endless());
        tokio::task::yield_now().await;
        assert!(!begun.is_finished());
        drop(tasks);
        for task in [begun, runtime.spawn(endless())] {
            let ends = async {
                while !task.is_finished() {
                    tokio::task::yield_now().await;
                }
            };
            let ended = tokio::time::timeout(Duration::from_secs(20), ends).await;
            assert!(ended.is_ok(), "a task goes on");
        }
    }
}
