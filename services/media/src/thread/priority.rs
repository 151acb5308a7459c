//! The place of a media thread among all threads of the machine.

use thread_priority::{
    Error, RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id,
};

/// Lets the calling thread go before all usual work of the machine (`SCHED_FIFO` at its lowest priority, sched(7)): a packet that is
/// due is not late because something else computes. Where the system does not permit it the thread goes on as usual, which is said
/// once. A thread that never rests does not stop the machine: Linux leaves 5 % of each core to others.
pub(super) fn go_first(thread: u8) {
    match raised() {
        Ok(()) => tracing::info!(thread, "a media thread goes before all usual work of the machine"),
        Err(error) => tracing::info!(
            thread,
            %error,
            "a media thread has the usual priority, and is late where the machine is busy: give the process CAP_SYS_NICE or \
             LimitRTPRIO=1, or set media.realtime = false"
        ),
    }
}

fn raised() -> Result<(), Error> {
    let fifo = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, fifo)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use thread_priority::thread_schedule_policy;

    use super::*;

    #[test]
    fn a_thread_goes_first_where_that_is_permitted_and_goes_on_where_not() {
        let policies = std::thread::spawn(|| {
            let may = raised().is_ok();
            (may, thread_schedule_policy().unwrap())
        });
        let (may, policy) = policies.join().unwrap();
        assert_eq!(matches!(policy, ThreadSchedulePolicy::Realtime(_)), may);
    }
}
