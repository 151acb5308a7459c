//! A handler, whatever its type: an async function of what it works with, a state and an event.

use futures_util::future::LocalBoxFuture;

use crate::error::Result;

/// `T` is what the handler works with (a turn, a call), `S` the state, `E` the event, `R` what it returns.
pub(crate) trait Handler<T, S, E, R>: Send + Sync {
    fn handle<'a>(&'a self, with: &'a mut T, state: &'a mut S, event: E) -> LocalBoxFuture<'a, Result<R>>
    where
        E: 'a;
}

impl<F, T, S, E, R> Handler<T, S, E, R> for F
where
    F: AsyncFn(&mut T, &mut S, E) -> Result<R> + Send + Sync,
{
    fn handle<'a>(&'a self, with: &'a mut T, state: &'a mut S, event: E) -> LocalBoxFuture<'a, Result<R>>
    where
        E: 'a,
    {
        Box::pin(async move { self(with, state, event).await })
    }
}
