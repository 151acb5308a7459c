//! How calls end.

use super::{Explanation, results};

pub(super) const TABLE: &[Explanation] = results! {
    // Good ends.
    200/0 Documented "done" "the operation did what it was asked for, or the call ended without a reason" "";
    200/4097 Documented "another participant ended the call" "somebody hung up, or the organizer ended the meeting" "";
    200/4521 Documented "the other one ended the call" "in a call of two the other one hung up or lost the client" "";
    200/5000 Documented "the bot was removed" "another participant removed the bot from the conversation" "";
    200/5001 Documented "the conversation ended" "the call or meeting was over" "";
    200/5002 Documented "all others left" "the bot was the last one, and the service ended the call" "";
    200/5003 Documented "the conversation ended" "it was over; for outgoing calls also: all clients of the callee declined" "";
    200/5007 Documented "the one who began the group call left" "with that one the group call ends" "";
    200/5010 Documented "only one participant remained" "a group call needs two" "";
    200/5012 Documented "the roster was empty" "nobody was in the call any more" "";
    200/5013 Documented "nobody else joined" "the group call began and nobody came" "";
    200/5014 Documented "nobody could host the group call" "none of those in the call may host it" "";
    200/5020 Documented "only hidden participants remained" "people left; recorders and other hidden bots do not keep a call" "";
    200/5030 Documented "the breakout room closed" "its time had passed" "";
    200/5300 Documented "the bot was removed" "another participant or an app removed the bot from the conversation" "";
    200/5855 Documented "nobody let the bot in from the lobby" "the lobby's time limit passed" "";
    200/7000 Documented "the bot ended the call" "the app hung up" "";
    200/7015 Documented "the transfer was completed" "the target took the call over, and the bot is out of it" "";
    200/10550 Documented "the bot ended the call" "the app hung up" "";
    200/18503 Documented "the other one left" "in a call of two the other one left the conversation" "";
    200/540_000 Documented "the telephone hung up" "the caller or callee of the telephone network ended the call" "";
    200/560_000 Documented "the telephone hung up" "the caller or callee of the telephone network ended the call" "";

    // Not allowed.
    403/10124 Observed "the call is not allowed" "the caller may not call this callee by policy or permission"
        "check the calling policies of the callee and the app's Calls.* permissions";
    403/10151 Observed "a call to a telephone lacks what it needs" "the call was not made through a resource account with a number"
        "give the application instance as the source of the call, and a number to the instance";
    403/510_403 Twin "the telephone network blocked the call" "the number was marked as spam"
        "ask the carrier of the number";

    // Not in time.
    408/0 Twin "somebody did not answer in time" "the calling service waited for a message of a client and none came"
        "look for a sub-code; check that the other side is online";
    408/1106 Documented "the acceptance was not acknowledged in time" "the caller's side did not confirm that the call was taken"
        "usually the caller gave up or lost the network; if it repeats, check how long the bot takes to answer";
    408/4506 Twin "the call was not set up in time" "the callee did not get or did not take the call" "try again";
    408/8537 Documented "the keep-alive limit passed" "no successful keep-alive within 45 minutes of the last one"
        "see whether the call's worker was down or Graph refused the keep-alives: `trunkline call show` has both";
    408/8544 Observed "the callee could not be reached"
        "the bot did not acknowledge the incoming call within 5 s, or did not answer, reject or redirect it within 15 s (5 s for a recording)"
        "check that the webhook is reachable and fast, and that the bot decides in time";
    408/10057 Documented "the callee's clients were silent" "the callee's network or client went away during set-up" "try again later";
    408/13025 Observed "a request timed out" "not known" "try again; if it repeats, complain to Microsoft with the call's id";

    // Media.
    410/0 Twin "media failed" "the sound could not be set up or was lost" "look for a sub-code; check networks and firewalls";
    410/301_004 Twin "media could not be set up" "no media connection between a participant and the service"
        "check firewalls on the way; a bot with hosted media needs none of its own";
    410/301_005 Documented "the media connection was lost" "a participant or the bot's media lost the network"
        "check the network of the media; the call can be made again";

    412/10073 Observed "an invitation to a telephone was refused" "who invites has no telephone service in this call"
        "invite from a call that reached the bot by its number or its application instance";

    // Not reached.
    480/0 Twin "the callee is not available" "no client of the callee is registered" "try again later";
    480/10037 Documented "the callee has no client" "the person is signed in nowhere, or the id is wrong"
        "check the object id; try again when the person is online";
    480/10076 Documented "the callee could not be reached" "the person's clients were registered but not online" "try again later";
    480/10077 Twin "the callee is offline" "the person's clients were registered but not online" "try again later";
    480/10078 Twin "the callee's client cannot be reached" "it is registered and does not answer" "try again later";
    480/10134 Documented "the call cannot be routed" "no way leads to the callee"
        "check the callee's id or number, and that it may be called from this tenant";
    480/10199 Documented "private calls are off for the callee" "the callee's calling policy forbids them"
        "let the tenant's admin allow private calling, or meet in a meeting";

    486/0 Inferred "the callee is busy" "the callee is in another call" "try again later";
    486/560_486 Twin "the telephone is busy" "the number was in another call or has trouble" "try again later";

    487/0 Twin "the caller gave up" "the call was cancelled before anybody took it" "nothing to do, or call back";
    487/10003 Twin "another client took the call" "the callee has several clients and answered on one" "nothing to do";
    487/10004 Twin "nobody took the call in time" "it rang until the service gave up" "try again later";
    487/10024 Twin "all clients of the callee declined" "the callee does not want the call" "do not call again soon";
    487/540_487 Twin "the telephone's caller gave up" "the call was cancelled before anybody took it" "nothing to do, or call back";

    // The service.
    500/0 Inferred "the calling service failed" "an error inside the service" "try again; look for a sub-code";
    500/1005 Documented "the service cannot reach the bot's media" "application-hosted media: address, port or certificate"
        "check the media platform's public name, port and certificate; hosted media do not have this";
    500/3003 Observed "the calling service failed" "an error inside the service" "try again";
    500/7000 Documented "the transfer failed" "the target did not take the call, or may not"
        "tell the caller; transfers need a target of the same tenant, or an application instance for telephones";
    500/7106 Observed "the service cannot reach the bot's media" "application-hosted media: certificate, port or name do not fit"
        "check that the certificate matches the public name and chains to a public authority, and that the port is open";
    500/7112 Observed "the service cannot reach the bot's media" "application-hosted media: certificate, port or name do not fit"
        "check that the certificate matches the public name and chains to a public authority, and that the port is open";
    500/7700 Documented "the consultative transfer failed" "the other call ended, or the target may not be transferred to"
        "tell the caller; check that both calls belong to the bot and are established";
    500/560_500 Observed "the telephone network failed" "the carrier or the session border controller refused the call"
        "look at the carrier's or controller's log";
    500/1_203_002 Observed "the service cannot reach the bot's media" "application-hosted media: certificate, port or name do not fit"
        "check that the certificate matches the public name and chains to a public authority, and that the port is open";
    500/1_203_003 Observed "the service cannot reach the bot's media" "application-hosted media: certificate, port or name do not fit"
        "check that the certificate matches the public name and chains to a public authority, and that the port is open";

    603/0 Twin "the callee declined" "the callee does not want the call" "do not call again soon";
};
