//! What stands in `deploy/example` works: messages go through both workers, and a worker that crashed goes on.

use crate::promtool::promtool_accepts;
use crate::world::deployment::Deployment;
use trunkline_fleet::process::Process;

const PEOPLE: [&str; 8] = ["Ada", "Bo", "Chen", "Dara", "Ekow", "Fen", "Gil", "Hana"];

#[test]
fn one_ingress_and_two_workers_answer_and_survive_the_crash_of_a_worker() {
    let mut deployment = Deployment::start(&PEOPLE, &[]);
    deployment.wait_until_both_serve();
    let chats = deployment.page.personal_chats("echo");
    assert_eq!(chats.len(), PEOPLE.len());
    for (person, chat) in &chats {
        deployment.page.say_as(*person, chat, "violet");
    }
    for (_, chat) in &chats {
        let reply = deployment.page.reply(chat, |text| text.contains("violet"));
        assert!(reply.starts_with("1."), "{reply}");
    }
    for worker in [1, 2] {
        let metrics = deployment.metrics(worker);
        let turns = metrics
            .lines()
            .find(|line| line.starts_with("trunkline_worker_turns_total") && !line.ends_with(" 0"));
        assert!(turns.is_some(), "worker {worker} has run no turn:\n{metrics}");
        promtool_accepts(&metrics);
    }
    promtool_accepts(&deployment.metrics(0));

    deployment.crash_first_worker();
    for (person, chat) in &chats {
        deployment.page.say_as(*person, chat, "magenta");
    }
    for (_, chat) in &chats {
        let reply = deployment.page.reply(chat, |text| text.contains("magenta"));
        assert!(reply.starts_with("2."), "{reply}");
    }

    let mut logs = vec![deployment.ingress.stop()];
    logs.extend(deployment.workers.into_iter().flatten().map(Process::stop));
    for (status, log) in logs {
        assert_eq!(status.code(), Some(0), "{log}");
        for line in log.lines() {
            assert!(
                serde_json::from_str::<serde_json::Value>(line).is_ok(),
                "not JSON: {line}"
            );
            assert!(
                !line.contains("violet") && !line.contains("magenta"),
                "text of a message in the log: {line}"
            );
        }
    }
}
