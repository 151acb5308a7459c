//! What Graph says of operations on calls: as the end of an operation, or as `error.code` of a refused request.

use super::{Explanation, results};

pub(super) const TABLE: &[Explanation] = results! {
    // A recording that has a file; that the first two come with 200 is inferred.
    200/8509 Twin "the recording ended with silence" "the caller spoke and then said nothing for `maxSilenceTimeoutInSeconds`" "";
    200/8514 Twin "the recording ended with a key" "the caller pressed one of the `stopTones`" "";
    200/8515 Documented "the recording has its full length" "`maxRecordDurationInSeconds` had passed" "";

    // Wrong request or wrong moment.
    400/8500 Twin "wrong media mode" "prompts, recordings and tones need service-hosted media, or another media operation is under way"
        "do it in calls with service-hosted media, one operation after the other";
    400/8501 Twin "the call is not established" "the operation came before the call was established or after it ended"
        "wait until the call is connected";
    any/8502 Twin "the bot's own participant is not known" "the call has not told it yet" "wait until the call is connected";
    any/8503 Twin "the sound is inactive" "the operation came before sound went through" "wait until the call is connected";
    any/8504 Twin "there are no media streams" "the operation came before media were set up" "wait until the call is connected";
    any/8505 Twin "several participants replace a call" "an invitation that replaces a call is for one person"
        "invite the person alone";
    any/8506 Observed "this call is not under policy-based recording" "the bot joined by itself instead of being invited to record"
        "set the recording status only in calls that came as recording invitations";
    400/8508 Documented "the operation was cancelled" "media processing was cancelled, or the call ended" "nothing to do";
    400/8510 Twin "nobody spoke" "the caller said nothing for `initialSilenceTimeoutInSeconds`" "ask again, or give more time";
    400/8511 Twin "the prompt failed" "the prompt before the recording could not be played"
        "check the file: WAV, one channel, 16 bit, 16 kHz, reachable from the internet";
    400/8512 Twin "the beep failed" "the beep before the recording could not be played" "try again, or without the beep";
    400/8513 Twin "no sound came" "no media of the caller arrived while recording" "try again; the caller may be muted or gone";
    400/8523 Observed "an argument is wrong" "a member of the request is missing, out of range or of another type"
        "read the message: it names the member; media configuration is always required";
    any/8526 Twin "the join token is wrong" "it is of another meeting or too old (a day)" "join by meeting information instead";
    any/8527 Twin "the join address is wrong" "it names no meeting" "check the address of the meeting";
    400/8528 Twin "the call is over" "the operation came after the end" "nothing to do";
    400/8535 Twin "the prompt has a wrong format" "it is not WAV with one channel, 16 bit, 16 kHz" "convert the file";
    400/8536 Twin "the prompt could not be downloaded" "its address is not reachable from the internet, slow, or asks who comes"
        "open the address from outside; give it a public name and a valid certificate";
    any/8548 Twin "this is no group call" "muting and rosters exist in group calls and meetings only" "do it in group calls only";
    any/8553 Twin "this is recorded already" "a second recording of the same kind was asked for" "stop the first one before";
    any/8556 Twin "not for calls under policy-based recording" "a recorder may not do this" "leave it to the people in the call";
    any/8558 Twin "the participant is not in the call" "it left, or the id is of another call" "read the roster again";
    any/8561 Twin "the meeting id is wrong" "no meeting has this id and pass code" "check both: the id is the number that people type";
    any/8566 Twin "unmuting is not allowed" "somebody else muted, and only the person may unmute" "nothing to do";
    400/8585 Twin "not in this state of the call" "the call is not established yet, or not any more"
        "wait until the call is connected";

    // Not allowed.
    any/7500 Twin "the identity is not supported" "the token is not of an app that may do this" "use the bot's own app registration";
    any/7501 Twin "the token is not valid" "it is expired, or for another service" "check the clock and the scope for Graph";
    any/7502 Twin "access is off" "calling is not enabled for this app" "switch calling on in the Teams channel of the bot";
    403/7504 Observed "permissions are missing" "the app lacks an application permission in the call's tenant"
        "let the tenant's admin consent to the Calls.* permissions of the operation, anew after every change of them";
    403/7505 Observed "the token is of another tenant" "calls belong to a tenant, and the token to another"
        "make the call with the tenant of the people in it";
    403/7507 Observed "the call's source is another app" "the source of the call is not the app of the token"
        "leave the source out, or give the application instance that belongs to the app";
    any/8517 Twin "the call is of another tenant" "the request names a tenant that is not the call's" "use the call's tenant";
    any/8524 Twin "wrong number of participants for recording" "a recording call has one recorded party" "nothing to do";
    any/8525 Twin "not the recorded party" "the participant is not the one who is recorded" "nothing to do";
    any/8552 Twin "the organizer cannot be removed" "the meeting belongs to the organizer" "nothing to do";
    any/8560 Twin "the meeting is locked" "its organizer lets nobody in any more" "ask the organizer";

    // Not there.
    404/0 Documented "not found" "the call, participant or operation is gone" "treat the call as ended";
    404/8522 Twin "not found" "the call has ended, or the participant has left" "treat the call as ended";
    any/8543 Twin "the call does not exist" "it has ended, or the id is wrong" "treat the call as ended";
    405/8520 Twin "not offered" "the service does not support this for this kind of call" "do without it";

    // Not in time: what the service says of the bot.
    any/8586 Twin "the bot did not acknowledge the call" "the webhook did not answer the incoming call within 5 s"
        "check that the webhook is reachable and fast";
    any/8587 Twin "the bot did not answer the call in time" "no answer, reject or redirect within 15 s (5 s for a recording)"
        "let the bot decide sooner";
    any/8609 Twin "the bot's answer to a joining person is wrong" "the webhook answered something else than accept, reject or another bot"
        "tell the maintainers of Trunkline";
    any/8610 Twin "the bot did not answer a notification" "the webhook was not reachable or too slow" "check the webhook";
    any/9002 Twin "a service behind timed out" "an error inside the service" "try again";

    409/8519 Twin "conflict" "two requests about the same thing at the same time" "nothing to do: it is tried once more";
    412/8583 Twin "not together with what runs" "two media operations that exclude each other" "do one after the other";

    // Too much.
    any/8516 Twin "throttled" "too many requests" "nothing to do: it is tried again when the service allows it";
    any/8529 Observed "the month's calls are used up" "an app may make 10,000 calls a month"
        "ask Microsoft for more; `trunkline call list` shows the count";
    any/8530 Twin "too many calls at once" "an app may have 100 calls at once" "lower the limits of simultaneous calls, or ask Microsoft for more";
    any/8589 Twin "too many recordings" "the service limits them" "try again later";

    // What became of a call to somebody.
    any/8541 Twin "the callee is not available" "no client of the callee can be reached" "try again later";
    any/8539 Twin "the callee is busy" "the callee is in another call" "try again later";
    any/8542 Twin "the call was cancelled" "it ended before anybody took it" "nothing to do";
    any/8540 Twin "the callee is busy everywhere" "all clients of the callee are busy" "try again later";
    any/8538 Twin "the callee declined" "the callee does not want the call" "do not call again soon";

    any/8521 Twin "too many hops" "the call was redirected again and again" "look for bots that redirect to each other";

    any/8594 Twin "the meeting's state could not be changed" "an error inside the service" "try again";
    any/9001 Twin "an unknown error of a service behind" "an error inside the service" "try again";
    any/9003 Twin "a service behind cancelled the operation" "an error inside the service" "try again";
    500/9998 Twin "a fatal error" "an error inside the service" "complain to Microsoft with the request's id, which the log has";
    500/9999 Observed "an unknown error" "an error inside the service; of invitations the message names the cause behind `DiagCode`"
        "read the message; explain its DiagCode";
};
