"""A method of every operation, made from docs/openapi.json by `generate.py`; changes here are lost."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import httpx2

from invigil_client import models
from invigil_client.calls import Call, Picture, segment
from invigil_client.transport import AsyncTransport, Transport


class Operations(Transport):
    """Every operation of the service."""

    def list_audit_events(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        subject_id: UUID | None = None,
        action: str | None = None,
        actor: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        order: Literal["asc", "desc"] | None = None,
    ) -> models.AuditEventList:
        """The events in their order, or the newest first; of a subject, an action, an actor or a time."""
        call = Call(
            "GET",
            "/v1/audit-events",
            query={
                "limit": limit,
                "cursor": cursor,
                "subject_id": subject_id,
                "action": action,
                "actor": actor,
                "since": since,
                "until": until,
                "order": order,
            },
        )
        return self._send_for(call, models.AuditEventList)

    def iterate_audit_events(
        self,
        *,
        limit: int | None = None,
        subject_id: UUID | None = None,
        action: str | None = None,
        actor: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        order: Literal["asc", "desc"] | None = None,
    ) -> Iterator[models.AuditEvent]:
        """All of `list_audit_events`, page after page; `limit` is how many come at a time."""
        return self._items(
            lambda cursor: self.list_audit_events(
                limit=limit,
                cursor=cursor,
                subject_id=subject_id,
                action=action,
                actor=actor,
                since=since,
                until=until,
                order=order,
            )
        )

    def verify_trail(self, body: models.NotedEvents) -> models.TrailReport:
        """Walk the whole trail, and compare the anchor, events noted elsewhere and all evidence with it.

        It reads every event and every row of evidence: some seconds for a hundred thousand."""
        call = Call("POST", "/v1/audit-events/verify", body=body)
        return self._send_for(call, models.TrailReport)

    def show_checkin(self, checkin_id: UUID) -> models.Checkin:
        """One attempt with all that its decision rests on."""
        call = Call("GET", f"/v1/checkins/{segment(checkin_id)}")
        return self._send_for(call, models.Checkin)

    def take_complaint(
        self, checkin_id: UUID, body: models.NewComplaint, *, idempotency_key: str | None = None
    ) -> models.Complaint:
        """Record a complaint about a check-in; its exam's evidence is on hold until it is answered."""
        call = Call(
            "POST",
            f"/v1/checkins/{segment(checkin_id)}/complaints",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return self._send_for(call, models.Complaint)

    def show_enrolment(self, checkin_id: UUID) -> bytes:
        """The enrolment that an attempt was compared with, where its crop is kept; the look is recorded."""
        call = Call("GET", f"/v1/checkins/{segment(checkin_id)}/enrolment")
        return (self._send(call)).content

    def explain_checkin_pictures(self, checkin_id: UUID) -> models.CaseExplanation:
        """Which places of both faces made them near or far; that the pictures were looked at is recorded.

        Each of 49 cells of each face is covered in turn, and compared. It takes a worker for pictures."""
        call = Call("GET", f"/v1/checkins/{segment(checkin_id)}/explanation")
        return self._send_for(call, models.CaseExplanation)

    def draw_explanation(self, checkin_id: UUID) -> bytes:
        """The same as a picture of both faces side by side: the one at the door, then the enrolled one."""
        call = Call("GET", f"/v1/checkins/{segment(checkin_id)}/explanation.png")
        return (self._send(call)).content

    def override_checkin(
        self, checkin_id: UUID, body: models.OverrideTerms, *, idempotency_key: str | None = None
    ) -> models.Overridden:
        """Settle an attempt, or correct how it was settled, with a reason. The attempt itself never changes."""
        call = Call(
            "POST",
            f"/v1/checkins/{segment(checkin_id)}/override",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return self._send_for(call, models.Overridden)

    def show_thumbnail(self, checkin_id: UUID) -> bytes:
        """The small picture of an attempt, where the exam keeps them; that it was looked at is recorded."""
        call = Call("GET", f"/v1/checkins/{segment(checkin_id)}/thumbnail")
        return (self._send(call)).content

    def compare_pictures(
        self, image_a: Picture, image_b: Picture, *, idempotency_key: str | None = None
    ) -> models.Decision:
        """Compare two photographs; nothing of them is stored. `probe_quality` is that of `image_b`."""
        call = Call(
            "POST",
            "/v1/compare",
            pictures={
                "image_a": image_a,
                "image_b": image_b,
            },
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
        )
        return self._send_for(call, models.Decision)

    def list_complaints(
        self, *, answered: bool | None = None, checkin_id: UUID | None = None
    ) -> models.ComplaintList:
        """The open complaints, the first due first; to an operator who is held to some exams, theirs."""
        call = Call(
            "GET",
            "/v1/complaints",
            query={
                "answered": answered,
                "checkin_id": checkin_id,
            },
        )
        return self._send_for(call, models.ComplaintList)

    def answer_complaint(
        self, complaint_id: UUID, body: models.ComplaintAnswer, *, idempotency_key: str | None = None
    ) -> models.Complaint:
        """Record the answer; the complaint's hold is lifted."""
        call = Call(
            "POST",
            f"/v1/complaints/{segment(complaint_id)}/answer",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return self._send_for(call, models.Complaint)

    def enrol_photo_of(
        self,
        image: Picture,
        external_id: str,
        *,
        display_name: str | None = None,
        dry_run: bool | None = None,
        force: bool | None = None,
        reason: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.PhotoEnrolment:
        """Enrol one photo of somebody who is named by an external id, and is added where nobody has it.

        A dry run compares with who is enrolled, and not with other photos of the same list."""
        call = Call(
            "POST",
            "/v1/enrolments",
            query={
                "dry_run": dry_run,
                "force": force,
                "reason": reason,
            },
            form={
                "display_name": display_name,
                "external_id": external_id,
            },
            pictures={
                "image": image,
            },
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
        )
        return self._send_for(call, models.PhotoEnrolment)

    def read_photo_list(self, body: str | bytes | Mapping[str, Any]) -> models.PhotoList:
        """Read a list of photos in CSV, as the command line does; nothing is stored."""
        call = Call(
            "POST",
            "/v1/enrolments/list",
            body=body if isinstance(body, Mapping) else None,
            csv=None if isinstance(body, Mapping) else body,
        )
        return self._send_for(call, models.PhotoList)

    def list_exams(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        archived: bool | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> models.ExamList:
        """The exams, newest first; to an operator who is held to some, these."""
        call = Call(
            "GET",
            "/v1/exams",
            query={
                "limit": limit,
                "cursor": cursor,
                "archived": archived,
                "since": since,
                "until": until,
            },
        )
        return self._send_for(call, models.ExamList)

    def iterate_exams(
        self,
        *,
        limit: int | None = None,
        archived: bool | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[models.Exam]:
        """All of `list_exams`, page after page; `limit` is how many come at a time."""
        return self._items(
            lambda cursor: self.list_exams(
                limit=limit,
                cursor=cursor,
                archived=archived,
                since=since,
                until=until,
            )
        )

    def create_exam(self, body: models.ExamTerms, *, idempotency_key: str | None = None) -> models.Exam:
        """Make an exam: its rules hold for all its sessions."""
        call = Call(
            "POST",
            "/v1/exams",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return self._send_for(call, models.Exam)

    def show_exam_defaults(self) -> models.ExamDefaults:
        """What holds for an exam that sets nothing itself, the server's rates among it."""
        call = Call("GET", "/v1/exams/defaults")
        return self._send_for(call, models.ExamDefaults)

    def delete_exam(self, exam_id: UUID, *, reason: str | None = None) -> models.Exam | None:
        """Archive an exam that has an attempt: it stays readable and takes no change. Another one is deleted.

        While one of its sessions is open it takes an administrator and a reason."""
        call = Call(
            "DELETE",
            f"/v1/exams/{segment(exam_id)}",
            query={
                "reason": reason,
            },
        )
        return self._send_for_any(call, models.Exam)

    def show_exam(self, exam_id: UUID) -> models.Exam:
        """One exam with the rates in force."""
        call = Call("GET", f"/v1/exams/{segment(exam_id)}")
        return self._send_for(call, models.Exam)

    def change_exam(self, exam_id: UUID, body: models.ExamChanges) -> models.Exam:
        """Change an exam's rules; what was decided under the former ones stays as it is."""
        call = Call("PATCH", f"/v1/exams/{segment(exam_id)}", body=body)
        return self._send_for(call, models.Exam)

    def list_exam_attendance(
        self,
        exam_id: UUID,
        *,
        separator: Literal["comma", "semicolon", "tab"] | None = None,
        zone: str | None = None,
    ) -> str:
        """Who was there, as a plain list: in all rooms of an exam."""
        call = Call(
            "GET",
            f"/v1/exams/{segment(exam_id)}/attendance.csv",
            query={
                "separator": separator,
                "zone": zone,
            },
        )
        return (self._send(call)).text

    def print_exam_attendance(self, exam_id: UUID, *, zone: str | None = None) -> bytes:
        """Who was there, to print and to sign: in all rooms of an exam."""
        call = Call(
            "GET",
            f"/v1/exams/{segment(exam_id)}/attendance.pdf",
            query={
                "zone": zone,
            },
        )
        return (self._send(call)).content

    def report_by_group(self, exam_id: UUID, body: str | bytes | Mapping[str, Any]) -> models.GroupsReport:
        """Attempts, seconds, failures to acquire, referrals and errors of each group, with intervals.

        The file is read in memory and kept nowhere; groups of fewer than 20 people who tried are left out."""
        call = Call(
            "POST",
            f"/v1/exams/{segment(exam_id)}/groups-report",
            body=body if isinstance(body, Mapping) else None,
            csv=None if isinstance(body, Mapping) else body,
        )
        return self._send_for(call, models.GroupsReport)

    def write_exam_paper(
        self,
        exam_id: UUID,
        paper: Literal["impact-assessment", "notice", "retention", "instructions", "technical-file"],
        *,
        language: str | None = None,
    ) -> str:
        """A draft from the exam's settings and the model's figures; what they do not say is a blank to fill in.

        The notice is written in the language that is asked for, the others in English."""
        call = Call(
            "GET",
            f"/v1/exams/{segment(exam_id)}/paperwork/{segment(paper)}",
            query={
                "language": language,
            },
        )
        return (self._send(call)).text

    def purge(
        self, exam_id: UUID, *, dry_run: bool | None = None, idempotency_key: str | None = None
    ) -> models.Purge:
        """Remove an exam's rosters, attempts, overrides and pictures once their retention is over."""
        call = Call(
            "POST",
            f"/v1/exams/{segment(exam_id)}/purge",
            query={
                "dry_run": dry_run,
            },
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
        )
        return self._send_for(call, models.Purge)

    def show_exam_readiness(self, exam_id: UUID) -> models.ExamReadiness:
        """Who cannot be verified in any room of an exam and why, and which candidates look alike."""
        call = Call("GET", f"/v1/exams/{segment(exam_id)}/readiness")
        return self._send_for(call, models.ExamReadiness)

    def download_exam_readiness(
        self,
        exam_id: UUID,
        *,
        separator: Literal["comma", "semicolon", "tab"] | None = None,
        zone: str | None = None,
    ) -> str:
        """Who is ready and who is not, why, and how old the photographs are: in all rooms of an exam."""
        call = Call(
            "GET",
            f"/v1/exams/{segment(exam_id)}/readiness.csv",
            query={
                "separator": separator,
                "zone": zone,
            },
        )
        return (self._send(call)).text

    def list_sessions(
        self, exam_id: UUID, *, limit: int | None = None, cursor: str | None = None
    ) -> models.SessionList:
        """The sessions of an exam."""
        call = Call(
            "GET",
            f"/v1/exams/{segment(exam_id)}/sessions",
            query={
                "limit": limit,
                "cursor": cursor,
            },
        )
        return self._send_for(call, models.SessionList)

    def iterate_sessions(self, exam_id: UUID, *, limit: int | None = None) -> Iterator[models.Session]:
        """All of `list_sessions`, page after page; `limit` is how many come at a time."""
        return self._items(
            lambda cursor: self.list_sessions(
                exam_id,
                limit=limit,
                cursor=cursor,
            )
        )

    def create_session(
        self, exam_id: UUID, body: models.SessionTerms, *, idempotency_key: str | None = None
    ) -> models.Session:
        """Make a session: one room, one window of time."""
        call = Call(
            "POST",
            f"/v1/exams/{segment(exam_id)}/sessions",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return self._send_for(call, models.Session)

    def show_survey(self, *, limit: int | None = None) -> models.GallerySurvey:
        """Photographs that may be under a wrong name, and everybody's nearest other person.

                Nobody whose legal basis has ended is compared. Without `scores:read` the lists are in order and show no
        distance."""
        call = Call(
            "GET",
            "/v1/gallery/survey",
            query={
                "limit": limit,
            },
        )
        return self._send_for(call, models.GallerySurvey)

    def list_holds(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        lifted: bool | None = None,
        exam_id: UUID | None = None,
        subject_id: UUID | None = None,
    ) -> models.HoldList:
        """What is kept from every sweep, for whom and why."""
        call = Call(
            "GET",
            "/v1/holds",
            query={
                "limit": limit,
                "cursor": cursor,
                "lifted": lifted,
                "exam_id": exam_id,
                "subject_id": subject_id,
            },
        )
        return self._send_for(call, models.HoldList)

    def iterate_holds(
        self,
        *,
        limit: int | None = None,
        lifted: bool | None = None,
        exam_id: UUID | None = None,
        subject_id: UUID | None = None,
    ) -> Iterator[models.Hold]:
        """All of `list_holds`, page after page; `limit` is how many come at a time."""
        return self._items(
            lambda cursor: self.list_holds(
                limit=limit,
                cursor=cursor,
                lifted=lifted,
                exam_id=exam_id,
                subject_id=subject_id,
            )
        )

    def put_hold(self, body: models.NewHold, *, idempotency_key: str | None = None) -> models.Hold:
        """Keep an exam or a subject from every sweep, for an appeal, a complaint or a court.

        An exam waits as a whole for a candidate on hold. A withdrawal of consent goes through all the same."""
        call = Call(
            "POST",
            "/v1/holds",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return self._send_for(call, models.Hold)

    def lift_hold(
        self, hold_id: UUID, body: models.Lifting, *, idempotency_key: str | None = None
    ) -> models.Hold:
        """End a hold: what is past its time is announced again, and goes a day later at the earliest."""
        call = Call(
            "POST",
            f"/v1/holds/{segment(hold_id)}/lift",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return self._send_for(call, models.Hold)

    def show_installation(self) -> models.Installation:
        """Version, model, database, disk, anchor, clock and every setting; no secret and nothing of a person."""
        call = Call("GET", "/v1/installation")
        return self._send_for(call, models.Installation)

    def confirm_clock(self) -> models.ClockConfirmed:
        """Say that the clock is right after it leapt: deletions start again, each announced a day before."""
        call = Call("POST", "/v1/installation/clock")
        return self._send_for(call, models.ClockConfirmed)

    def list_jobs(self, *, limit: int | None = None, cursor: str | None = None) -> models.JobList:
        """The jobs, newest first."""
        call = Call(
            "GET",
            "/v1/jobs",
            query={
                "limit": limit,
                "cursor": cursor,
            },
        )
        return self._send_for(call, models.JobList)

    def iterate_jobs(self, *, limit: int | None = None) -> Iterator[models.JobDocument]:
        """All of `list_jobs`, page after page; `limit` is how many come at a time."""
        return self._items(
            lambda cursor: self.list_jobs(
                limit=limit,
                cursor=cursor,
            )
        )

    def submit_job(self, body: models.NewJob, *, idempotency_key: str | None = None) -> models.JobDocument:
        """Let a job wait for a worker (`invigil worker`); `Location` says where to follow it."""
        call = Call(
            "POST",
            "/v1/jobs",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return self._send_for(call, models.JobDocument)

    def show_job(self, job_id: str, *, log_lines: int | None = None) -> models.JobDocument:
        """One job: how far it is, its figures, the end of its log, its result or its error."""
        call = Call(
            "GET",
            f"/v1/jobs/{segment(job_id)}",
            query={
                "log_lines": log_lines,
            },
        )
        return self._send_for(call, models.JobDocument)

    def cancel_job(self, job_id: str, *, idempotency_key: str | None = None) -> models.JobDocument:
        """Ask for a job's end; a running one ends at its next step. Asking twice is asking once."""
        call = Call(
            "POST",
            f"/v1/jobs/{segment(job_id)}/cancel",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
        )
        return self._send_for(call, models.JobDocument)

    def list_keys(self, *, limit: int | None = None, cursor: str | None = None) -> models.KeyList:
        """The keys in the order they were made, revoked ones too."""
        call = Call(
            "GET",
            "/v1/keys",
            query={
                "limit": limit,
                "cursor": cursor,
            },
        )
        return self._send_for(call, models.KeyList)

    def iterate_keys(self, *, limit: int | None = None) -> Iterator[models.KeyDocument]:
        """All of `list_keys`, page after page; `limit` is how many come at a time."""
        return self._items(
            lambda cursor: self.list_keys(
                limit=limit,
                cursor=cursor,
            )
        )

    def create_key(self, body: models.NewKey, *, idempotency_key: str | None = None) -> models.IssuedKey:
        """Make a key."""
        call = Call(
            "POST",
            "/v1/keys",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return self._send_for(call, models.IssuedKey)

    def revoke_key(self, key_id: UUID) -> models.KeyDocument:
        """Revoke a key: from this answer on it opens nothing, in any process."""
        call = Call("DELETE", f"/v1/keys/{segment(key_id)}")
        return self._send_for(call, models.KeyDocument)

    def look_at_code(self, body: models.CodeGiven) -> models.Asking:
        """Which tablet shows a code, before it is let in. Wrong codes are counted, and few are allowed."""
        call = Call("POST", "/v1/kiosk-codes/look", body=body)
        return self._send_for(call, models.Asking)

    def list_list_layouts(
        self, *, limit: int | None = None, cursor: str | None = None
    ) -> models.ListLayoutList:
        """The kinds of lists that somebody has explained."""
        call = Call(
            "GET",
            "/v1/list-layouts",
            query={
                "limit": limit,
                "cursor": cursor,
            },
        )
        return self._send_for(call, models.ListLayoutList)

    def iterate_list_layouts(self, *, limit: int | None = None) -> Iterator[models.ListLayout]:
        """All of `list_list_layouts`, page after page; `limit` is how many come at a time."""
        return self._items(
            lambda cursor: self.list_list_layouts(
                limit=limit,
                cursor=cursor,
            )
        )

    def forget_list_layout(self, name: str) -> None:
        """Forget a kind of list; what was imported stays."""
        call = Call("DELETE", f"/v1/list-layouts/{segment(name)}")
        self._send(call)

    def keep_list_layout(self, name: str, body: models.LayoutTerms) -> models.ListLayout:
        """Say which heading of a kind of list is which column: from now on, lists with these are read so."""
        call = Call("PUT", f"/v1/list-layouts/{segment(name)}", body=body)
        return self._send_for(call, models.ListLayout)

    def show_me(self) -> models.Me:
        """The key or the operator that sends the request."""
        call = Call("GET", "/v1/me")
        return self._send_for(call, models.Me)

    def change_password(self, body: models.PasswordChange) -> models.OperatorDocument:
        """Set another password; every other page of the operator is signed out."""
        call = Call("PUT", "/v1/me/password", body=body)
        return self._send_for(call, models.OperatorDocument)

    def begin_second_factor(self, body: models.PasswordGiven) -> models.NewSecondFactor:
        """A secret for an app of one-time codes; it counts once a code has shown that the app has it."""
        call = Call("PUT", "/v1/me/second-factor", body=body)
        return self._send_for(call, models.NewSecondFactor)

    def confirm_second_factor(self, body: models.Confirmation) -> models.OperatorDocument:
        """Ask for a code at every sign-in from now on; every other page of the operator is signed out."""
        call = Call("PUT", "/v1/me/second-factor/confirmation", body=body)
        return self._send_for(call, models.OperatorDocument)

    def remove_second_factor(self, body: models.PasswordGiven) -> models.OperatorDocument:
        """Ask for no code any more."""
        call = Call("PUT", "/v1/me/second-factor/removal", body=body)
        return self._send_for(call, models.OperatorDocument)

    def list_models(self) -> models.ModelList:
        """The models of this installation, oldest first."""
        call = Call("GET", "/v1/models")
        return self._send_for(call, models.ModelList)

    def roll_back_model(
        self, body: models.RollBack | None, *, idempotency_key: str | None = None
    ) -> models.Switch:
        """Return to the model that the active one replaced, with everybody who was enrolled since."""
        call = Call(
            "POST",
            "/v1/models/rollback",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return self._send_for(call, models.Switch)

    def show_model(self, model_id: str) -> models.ShownModel:
        """One model."""
        call = Call("GET", f"/v1/models/{segment(model_id)}")
        return self._send_for(call, models.ShownModel)

    def list_lacking(
        self, model_id: str, *, limit: int | None = None, cursor: str | None = None
    ) -> models.Lacking:
        """The subjects who have templates, but none of this model and no kept crop to make one of."""
        call = Call(
            "GET",
            f"/v1/models/{segment(model_id)}/lacking",
            query={
                "limit": limit,
                "cursor": cursor,
            },
        )
        return self._send_for(call, models.Lacking)

    def iterate_lacking(self, model_id: str, *, limit: int | None = None) -> Iterator[UUID]:
        """All of `list_lacking`, page after page; `limit` is how many come at a time."""
        return self._items(
            lambda cursor: self.list_lacking(
                model_id,
                limit=limit,
                cursor=cursor,
            )
        )

    def promote_model(
        self, model_id: str, body: models.Promote | None, *, idempotency_key: str | None = None
    ) -> models.Switch:
        """Make a candidate the active model; its templates of kept crops are made first."""
        call = Call(
            "POST",
            f"/v1/models/{segment(model_id)}/promote",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return self._send_for(call, models.Switch)

    def end_model_shadow(self, model_id: str) -> models.ModelShadow:
        """Take a candidate out of the shadow; what was counted stays."""
        call = Call("DELETE", f"/v1/models/{segment(model_id)}/shadow")
        return self._send_for(call, models.ModelShadow)

    def show_model_shadow(self, model_id: str) -> models.ModelShadow:
        """What a candidate said in the shadow of the active model."""
        call = Call("GET", f"/v1/models/{segment(model_id)}/shadow")
        return self._send_for(call, models.ModelShadow)

    def start_model_shadow(self, model_id: str, *, idempotency_key: str | None = None) -> models.ModelShadow:
        """Let a candidate look at what is decided from now on; one at a time."""
        call = Call(
            "POST",
            f"/v1/models/{segment(model_id)}/shadow",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
        )
        return self._send_for(call, models.ModelShadow)

    def list_shadow_disagreements(
        self, model_id: str, *, limit: int | None = None, cursor: str | None = None
    ) -> models.ShadowDisagreements:
        """The check-ins on which both disagreed, while their evidence is kept."""
        call = Call(
            "GET",
            f"/v1/models/{segment(model_id)}/shadow/disagreements",
            query={
                "limit": limit,
                "cursor": cursor,
            },
        )
        return self._send_for(call, models.ShadowDisagreements)

    def iterate_shadow_disagreements(
        self, model_id: str, *, limit: int | None = None
    ) -> Iterator[models.ShadowDisagreement]:
        """All of `list_shadow_disagreements`, page after page; `limit` is how many come at a time."""
        return self._items(
            lambda cursor: self.list_shadow_disagreements(
                model_id,
                limit=limit,
                cursor=cursor,
            )
        )

    def show_model_use(self, model_id: str, *, weeks: int | None = None) -> models.ModelUse:
        """Referrals, overrides and refusals by week and by kiosk, the rates they imply, and alarms."""
        call = Call(
            "GET",
            f"/v1/models/{segment(model_id)}/use",
            query={
                "weeks": weeks,
            },
        )
        return self._send_for(call, models.ModelUse)

    def undo(
        self, movement_id: UUID, body: models.UndoTerms, *, idempotency_key: str | None = None
    ) -> models.Movement:
        """Take a candidate's newest movement back: it never happened. The row stays, and so does this one."""
        call = Call(
            "POST",
            f"/v1/movements/{segment(movement_id)}/undo",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return self._send_for(call, models.Movement)

    def list_operators(self, *, limit: int | None = None, cursor: str | None = None) -> models.OperatorList:
        """The operators in the order they were invited, ended ones too."""
        call = Call(
            "GET",
            "/v1/operators",
            query={
                "limit": limit,
                "cursor": cursor,
            },
        )
        return self._send_for(call, models.OperatorList)

    def iterate_operators(self, *, limit: int | None = None) -> Iterator[models.OperatorDocument]:
        """All of `list_operators`, page after page; `limit` is how many come at a time."""
        return self._items(
            lambda cursor: self.list_operators(
                limit=limit,
                cursor=cursor,
            )
        )

    def create_operator(
        self, body: models.NewOperator, *, idempotency_key: str | None = None
    ) -> models.InvitedOperator:
        """Invite somebody. The answer has the link by which the person sets a password, for seven days."""
        call = Call(
            "POST",
            "/v1/operators",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return self._send_for(call, models.InvitedOperator)

    def end_operator(self, operator_id: UUID) -> models.OperatorDocument:
        """End an operator: from this answer on there is no page, board or sign-in, in any process."""
        call = Call("DELETE", f"/v1/operators/{segment(operator_id)}")
        return self._send_for(call, models.OperatorDocument)

    def show_operator(self, operator_id: UUID) -> models.OperatorDocument:
        """One operator."""
        call = Call("GET", f"/v1/operators/{segment(operator_id)}")
        return self._send_for(call, models.OperatorDocument)

    def change_operator(self, operator_id: UUID, body: models.OperatorChanges) -> models.OperatorDocument:
        """Change a name, a role or the exams; who may do something else now is signed out at once."""
        call = Call("PATCH", f"/v1/operators/{segment(operator_id)}", body=body)
        return self._send_for(call, models.OperatorDocument)

    def reset_operator(
        self, operator_id: UUID, *, idempotency_key: str | None = None
    ) -> models.InvitedOperator:
        """Forget password and second factor, sign out, and give a new link in place of every former one."""
        call = Call(
            "POST",
            f"/v1/operators/{segment(operator_id)}/reset",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
        )
        return self._send_for(call, models.InvitedOperator)

    def list_proposals(self, *, limit: int | None = None, cursor: str | None = None) -> models.ProposalList:
        """Pictures that people have sent and that wait, oldest first."""
        call = Call(
            "GET",
            "/v1/proposals",
            query={
                "limit": limit,
                "cursor": cursor,
            },
        )
        return self._send_for(call, models.ProposalList)

    def iterate_proposals(self, *, limit: int | None = None) -> Iterator[models.ProposalDocument]:
        """All of `list_proposals`, page after page; `limit` is how many come at a time."""
        return self._items(
            lambda cursor: self.list_proposals(
                limit=limit,
                cursor=cursor,
            )
        )

    def accept_sent_picture(
        self, proposal_id: UUID, body: models.Acceptance, *, idempotency_key: str | None = None
    ) -> models.TemplateFacts:
        """Enrol the picture, which the caller has compared with a portrait or a document."""
        call = Call(
            "POST",
            f"/v1/proposals/{segment(proposal_id)}/accept",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return self._send_for(call, models.TemplateFacts)

    def show_proposal_picture(self, proposal_id: UUID) -> bytes:
        """The picture that was sent; that somebody has looked goes into the audit trail."""
        call = Call("GET", f"/v1/proposals/{segment(proposal_id)}/picture")
        return (self._send(call)).content

    def show_proposal_portrait(self, proposal_id: UUID) -> bytes:
        """The office's portrait of the person, or the kept crop of an enrolment, to look at beside it."""
        call = Call("GET", f"/v1/proposals/{segment(proposal_id)}/portrait")
        return (self._send(call)).content

    def refuse_sent_picture(
        self, proposal_id: UUID, body: models.Refusal, *, idempotency_key: str | None = None
    ) -> None:
        """Remove the picture; the person can be sent another link."""
        call = Call(
            "POST",
            f"/v1/proposals/{segment(proposal_id)}/refuse",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        self._send(call)

    def assess_quality(
        self,
        image: Picture,
        *,
        for_: Literal["enrol", "verify", "checkin", "kiosk"] | None = None,
        idempotency_key: str | None = None,
    ) -> models.QualityReport:
        """Look at one photograph; no template is made. A picture without a face is an answer, not an error."""
        call = Call(
            "POST",
            "/v1/quality",
            query={
                "for": for_,
            },
            pictures={
                "image": image,
            },
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
        )
        return self._send_for(call, models.QualityReport)

    def show_retention(self) -> models.Retention:
        """Each kind of data: how much is kept, what the next sweep announces, what goes when, what is on hold."""
        call = Call("GET", "/v1/retention")
        return self._send_for(call, models.Retention)

    def list_exam_retention(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        standing: Literal["kept", "for_ever", "due", "announced", "held", "purged"] | None = None,
    ) -> models.ExamRetentionList:
        """What is kept of each exam and until when, the archive's among them, the newest first."""
        call = Call(
            "GET",
            "/v1/retention/exams",
            query={
                "limit": limit,
                "cursor": cursor,
                "standing": standing,
            },
        )
        return self._send_for(call, models.ExamRetentionList)

    def iterate_exam_retention(
        self,
        *,
        limit: int | None = None,
        standing: Literal["kept", "for_ever", "due", "announced", "held", "purged"] | None = None,
    ) -> Iterator[models.ExamRetention]:
        """All of `list_exam_retention`, page after page; `limit` is how many come at a time."""
        return self._items(
            lambda cursor: self.list_exam_retention(
                limit=limit,
                cursor=cursor,
                standing=standing,
            )
        )

    def scan(self, image: Picture, *, idempotency_key: str | None = None) -> models.Scanned:
        """Read the codes in a grey picture of at most 480 × 240 pixels.

        Nothing of it is kept: with an Idempotency-Key too it is read anew."""
        call = Call(
            "POST",
            "/v1/scan",
            pictures={
                "image": image,
            },
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
        )
        return self._send_for(call, models.Scanned)

    def search_gallery(
        self,
        image: Picture,
        *,
        k: int | None = None,
        scope: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.SearchResult:
        """The subjects whose templates are near enough, nearest first; an empty list where nobody is."""
        call = Call(
            "POST",
            "/v1/search",
            form={
                "k": k,
                "scope": scope,
            },
            pictures={
                "image": image,
            },
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
        )
        return self._send_for(call, models.SearchResult)

    def list_sessions_of_exams(
        self, exam_id: Sequence[UUID], *, limit: int | None = None, cursor: str | None = None
    ) -> models.SessionList:
        """The sessions of several exams; to an operator who is held to some, those of these."""
        call = Call(
            "GET",
            "/v1/sessions",
            query={
                "exam_id": exam_id,
                "limit": limit,
                "cursor": cursor,
            },
        )
        return self._send_for(call, models.SessionList)

    def iterate_sessions_of_exams(
        self, exam_id: Sequence[UUID], *, limit: int | None = None
    ) -> Iterator[models.Session]:
        """All of `list_sessions_of_exams`, page after page; `limit` is how many come at a time."""
        return self._items(
            lambda cursor: self.list_sessions_of_exams(
                exam_id,
                limit=limit,
                cursor=cursor,
            )
        )

    def show_session(self, session_id: UUID) -> models.Session:
        """One session with the rates in force and the server's clock."""
        call = Call("GET", f"/v1/sessions/{segment(session_id)}")
        return self._send_for(call, models.Session)

    def change_session(self, session_id: UUID, body: models.SessionChanges) -> models.Session:
        """Change a session; the keys of its kiosks follow its window."""
        call = Call("PATCH", f"/v1/sessions/{segment(session_id)}", body=body)
        return self._send_for(call, models.Session)

    def list_attendance(
        self,
        session_id: UUID,
        *,
        separator: Literal["comma", "semicolon", "tab"] | None = None,
        zone: str | None = None,
    ) -> str:
        """Who was there, as a plain list: in one room, by seat."""
        call = Call(
            "GET",
            f"/v1/sessions/{segment(session_id)}/attendance.csv",
            query={
                "separator": separator,
                "zone": zone,
            },
        )
        return (self._send(call)).text

    def print_attendance(self, session_id: UUID, *, zone: str | None = None) -> bytes:
        """Who was there, to print and to sign: in one room, by seat."""
        call = Call(
            "GET",
            f"/v1/sessions/{segment(session_id)}/attendance.pdf",
            query={
                "zone": zone,
            },
        )
        return (self._send(call)).content

    def change_candidate_of_session(
        self, session_id: UUID, external_id: str, body: models.CandidateChanges
    ) -> models.Candidate:
        """Move a candidate to another seat, mark a look-alike whom only a person admits, or allow attempts."""
        call = Call(
            "PATCH", f"/v1/sessions/{segment(session_id)}/candidates/{segment(external_id)}", body=body
        )
        return self._send_for(call, models.Candidate)

    def download_evidence(self, session_id: UUID, external_id: str) -> models.Evidence:
        """All that is known about one candidate of a session, with the digests that prove it, as one file."""
        call = Call("GET", f"/v1/sessions/{segment(session_id)}/candidates/{segment(external_id)}/evidence")
        return self._send_for(call, models.Evidence)

    def list_checkins(
        self,
        session_id: UUID,
        *,
        outcome: Literal["admitted", "referred", "refused", "identified_manually"] | None = None,
        external_id: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> models.CheckinList:
        """The attempts of a session, newest first."""
        call = Call(
            "GET",
            f"/v1/sessions/{segment(session_id)}/checkins",
            query={
                "outcome": outcome,
                "external_id": external_id,
                "limit": limit,
                "cursor": cursor,
            },
        )
        return self._send_for(call, models.CheckinList)

    def iterate_checkins(
        self,
        session_id: UUID,
        *,
        outcome: Literal["admitted", "referred", "refused", "identified_manually"] | None = None,
        external_id: str | None = None,
        limit: int | None = None,
    ) -> Iterator[models.Checkin]:
        """All of `list_checkins`, page after page; `limit` is how many come at a time."""
        return self._items(
            lambda cursor: self.list_checkins(
                session_id,
                outcome=outcome,
                external_id=external_id,
                limit=limit,
                cursor=cursor,
            )
        )

    def check_in_candidate(
        self,
        session_id: UUID,
        image: Picture,
        *,
        candidate: str | None = None,
        client_time: datetime | None = None,
        final: bool | None = None,
        frames: Sequence[Picture] | None = None,
        kind: Literal["entry", "return"] | None = None,
        kiosk: str | None = None,
        seat: str | None = None,
        since_claim_ms: int | None = None,
        idempotency_key: str | None = None,
    ) -> models.CheckedIn:
        """One photograph decides: admitted, or referred to the invigilator. Nobody is refused by a machine.

                `frames` are 2 to 8 pictures of one size, at most 320 pixels long, of the moments before it, in their
        order; they are looked at for motion and kept nowhere."""
        call = Call(
            "POST",
            f"/v1/sessions/{segment(session_id)}/checkins",
            form={
                "candidate": candidate,
                "client_time": client_time,
                "final": final,
                "frames": frames,
                "kind": kind,
                "kiosk": kiosk,
                "seat": seat,
                "since_claim_ms": since_claim_ms,
            },
            pictures={
                "image": image,
            },
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
        )
        return self._send_for(call, models.CheckedIn)

    def check_claim_of_candidate(
        self, session_id: UUID, body: models.NewClaim, *, idempotency_key: str | None = None
    ) -> models.ClaimDocument:
        """Ask before any picture: whoever is unknown, in, settled or by document is told so at once."""
        call = Call(
            "POST",
            f"/v1/sessions/{segment(session_id)}/claims",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return self._send_for(call, models.ClaimDocument)

    def request_document_check(
        self, session_id: UUID, body: models.DocumentRequest, *, idempotency_key: str | None = None
    ) -> None:
        """Wait for a person who looks at a document instead of a photograph; no reason is asked for."""
        call = Call(
            "POST",
            f"/v1/sessions/{segment(session_id)}/document-requests",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        self._send(call)

    def issue_enrolment_links(
        self,
        session_id: UUID,
        *,
        days: int | None = None,
        direct: bool | None = None,
        as_csv: bool | None = None,
        idempotency_key: str | None = None,
    ) -> models.EnrolmentLinkList:
        """A link for everybody of the roster without a template who may be enrolled."""
        call = Call(
            "POST",
            f"/v1/sessions/{segment(session_id)}/enrolment-links",
            query={
                "days": days,
                "direct": direct,
                "as_csv": as_csv,
            },
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
        )
        return self._send_for(call, models.EnrolmentLinkList)

    def identify_candidate(
        self, session_id: UUID, body: models.IdentificationTerms, *, idempotency_key: str | None = None
    ) -> models.Identified:
        """Let a candidate in by a document: no photograph, and no less than one."""
        call = Call(
            "POST",
            f"/v1/sessions/{segment(session_id)}/identifications",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return self._send_for(call, models.Identified)

    def create_kiosk_key(
        self, session_id: UUID, body: models.NewKioskKey, *, idempotency_key: str | None = None
    ) -> models.KioskKey:
        """Make a key that can do nothing but check people in to this session, until it closes."""
        call = Call(
            "POST",
            f"/v1/sessions/{segment(session_id)}/kiosk-keys",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return self._send_for(call, models.KioskKey)

    def list_kiosks(self, session_id: UUID) -> models.KioskList:
        """The kiosks of a session: name, last sign, camera, battery where it is told."""
        call = Call("GET", f"/v1/sessions/{segment(session_id)}/kiosks")
        return self._send_for(call, models.KioskList)

    def add_kiosk(
        self, session_id: UUID, body: models.NewKiosk, *, idempotency_key: str | None = None
    ) -> models.Kiosk:
        """Let the tablet that shows the code be a kiosk of this session until it closes."""
        call = Call(
            "POST",
            f"/v1/sessions/{segment(session_id)}/kiosks",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return self._send_for(call, models.Kiosk)

    def give_sign(
        self, session_id: UUID, body: models.KioskSign, *, idempotency_key: str | None = None
    ) -> None:
        """A kiosk says that it is there, and how it fares."""
        call = Call(
            "POST",
            f"/v1/sessions/{segment(session_id)}/kiosks/sign",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        self._send(call)

    def end_kiosk(self, session_id: UUID, kiosk_id: UUID) -> models.Kiosk:
        """End a kiosk at once: its page shows nothing more, and its key is revoked."""
        call = Call("DELETE", f"/v1/sessions/{segment(session_id)}/kiosks/{segment(kiosk_id)}")
        return self._send_for(call, models.Kiosk)

    def change_kiosk(self, session_id: UUID, kiosk_id: UUID, body: models.KioskChanges) -> models.Kiosk:
        """Call a kiosk by another name."""
        call = Call("PATCH", f"/v1/sessions/{segment(session_id)}/kiosks/{segment(kiosk_id)}", body=body)
        return self._send_for(call, models.Kiosk)

    def follow_session(
        self, session_id: UUID, *, last_event_id: str | None = None
    ) -> Iterator[httpx2.ServerSentEvent]:
        """The board, then `checkin`, `override`, `declined`, `standing`, `roster`, `session`, at last `closed`.

                `standing` is about a candidate who stands otherwise though nothing happened at the door: consent was
        withdrawn, a legal basis has ended, somebody was erased. `closed` comes when the window is over, or when
        the exam is archived or deleted."""
        return self._follow(f"/v1/sessions/{segment(session_id)}/live", last_event_id)

    def list_movements(
        self,
        session_id: UUID,
        *,
        external_id: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> models.MovementList:
        """The movements of a session or of one candidate, and who is out now."""
        call = Call(
            "GET",
            f"/v1/sessions/{segment(session_id)}/movements",
            query={
                "external_id": external_id,
                "limit": limit,
                "cursor": cursor,
            },
        )
        return self._send_for(call, models.MovementList)

    def iterate_movements(
        self, session_id: UUID, *, external_id: str | None = None, limit: int | None = None
    ) -> Iterator[models.Movement]:
        """All of `list_movements`, page after page; `limit` is how many come at a time."""
        return self._items(
            lambda cursor: self.list_movements(
                session_id,
                external_id=external_id,
                limit=limit,
                cursor=cursor,
            )
        )

    def record_movement(
        self, session_id: UUID, body: models.MovementTerms, *, idempotency_key: str | None = None
    ) -> models.Movement:
        """Somebody goes out or leaves, or comes back by a document; a return by photograph is a check-in.

                A kiosk keeps to the session's rules. Who holds `override` may record with a reason what happened against
        them, and identifies whoever comes back by a document."""
        call = Call(
            "POST",
            f"/v1/sessions/{segment(session_id)}/movements",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return self._send_for(call, models.Movement)

    def type_in_paper(
        self,
        session_id: UUID,
        body: str | bytes | Mapping[str, Any],
        *,
        dry_run: bool | None = None,
        zone: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.PaperReport:
        """Record who came and left by a room sheet, with the paper's times and `source = paper`.

                Each line by itself: what is wrong with one stops no other, and a line that was typed in before changes
        nothing. Who is in already, otherwise than paper says, is a `conflict`, and nothing is merged."""
        call = Call(
            "POST",
            f"/v1/sessions/{segment(session_id)}/paper",
            query={
                "dry_run": dry_run,
                "zone": zone,
            },
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body if isinstance(body, Mapping) else None,
            csv=None if isinstance(body, Mapping) else body,
        )
        return self._send_for(call, models.PaperReport)

    def download_paper(
        self,
        session_id: UUID,
        *,
        separator: Literal["comma", "semicolon", "tab"] | None = None,
        zone: str | None = None,
    ) -> str:
        """The room as a table to type a room sheet into, and to send back filled in."""
        call = Call(
            "GET",
            f"/v1/sessions/{segment(session_id)}/paper.csv",
            query={
                "separator": separator,
                "zone": zone,
            },
        )
        return (self._send(call)).text

    def show_pilot(self, session_id: UUID) -> models.PilotReport:
        """What the machine would have done in a pilot, beside what people decided."""
        call = Call("GET", f"/v1/sessions/{segment(session_id)}/pilot")
        return self._send_for(call, models.PilotReport)

    def deliver_item(
        self, session_id: UUID, sealed: Picture, item: str, *, idempotency_key: str | None = None
    ) -> models.DeliveredItem:
        """Deliver one attempt that was taken without network, sealed as `docs/exams.md` says, in the order taken.

        A kiosk may do that for 24 hours after its end, with what it took before. Whatever opens is recorded."""
        call = Call(
            "POST",
            f"/v1/sessions/{segment(session_id)}/queue",
            form={
                "item": item,
            },
            pictures={
                "sealed": sealed,
            },
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
        )
        return self._send_for(call, models.DeliveredItem)

    def show_pack(self, session_id: UUID) -> models.Pack:
        """For a kiosk: numbers, names and seats of its session, and the key that seals what it takes."""
        call = Call("GET", f"/v1/sessions/{segment(session_id)}/queue/pack")
        return self._send_for(call, models.Pack)

    def show_readiness(self, session_id: UUID) -> models.Readiness:
        """Who cannot be verified and why, and which candidates look alike."""
        call = Call("GET", f"/v1/sessions/{segment(session_id)}/readiness")
        return self._send_for(call, models.Readiness)

    def download_readiness(
        self,
        session_id: UUID,
        *,
        separator: Literal["comma", "semicolon", "tab"] | None = None,
        zone: str | None = None,
    ) -> str:
        """Who is ready and who is not, why, and how old the photographs are: in one room."""
        call = Call(
            "GET",
            f"/v1/sessions/{segment(session_id)}/readiness.csv",
            query={
                "separator": separator,
                "zone": zone,
            },
        )
        return (self._send(call)).text

    def show_report(self, session_id: UUID) -> models.SessionReport:
        """How many candidates were verified within their tries, after how many, and how long it took."""
        call = Call("GET", f"/v1/sessions/{segment(session_id)}/report")
        return self._send_for(call, models.SessionReport)

    def download_report(
        self,
        session_id: UUID,
        *,
        separator: Literal["comma", "semicolon", "tab"] | None = None,
        zone: str | None = None,
    ) -> str:
        """Transactions, then every attempt with its decision, every override; no cell is taken for a formula."""
        call = Call(
            "GET",
            f"/v1/sessions/{segment(session_id)}/report.csv",
            query={
                "separator": separator,
                "zone": zone,
            },
        )
        return (self._send(call)).text

    def print_report(self, session_id: UUID, *, zone: str | None = None) -> bytes:
        """The session's report, to print: transactions first, then a line for each candidate who tried."""
        call = Call(
            "GET",
            f"/v1/sessions/{segment(session_id)}/report.pdf",
            query={
                "zone": zone,
            },
        )
        return (self._send(call)).content

    def show_roster(
        self, session_id: UUID, *, limit: int | None = None, cursor: str | None = None
    ) -> models.CandidateList:
        """The candidates with their flags and how each stands."""
        call = Call(
            "GET",
            f"/v1/sessions/{segment(session_id)}/roster",
            query={
                "limit": limit,
                "cursor": cursor,
            },
        )
        return self._send_for(call, models.CandidateList)

    def iterate_roster(self, session_id: UUID, *, limit: int | None = None) -> Iterator[models.Candidate]:
        """All of `show_roster`, page after page; `limit` is how many come at a time."""
        return self._items(
            lambda cursor: self.show_roster(
                session_id,
                limit=limit,
                cursor=cursor,
            )
        )

    def put_roster(
        self,
        session_id: UUID,
        body: str | bytes | Mapping[str, Any],
        *,
        dry_run: bool | None = None,
        mode: Literal["replace", "merge"] | None = None,
        create_subjects: bool | None = None,
        allow_empty: bool | None = None,
        layout: str | None = None,
        expect_removed: int | None = None,
    ) -> models.RosterReport:
        """Import a roster, all of it or nothing, and report what changed and what is wrong.

        To make subjects of unknown ids takes the scope `enrol` as well."""
        call = Call(
            "PUT",
            f"/v1/sessions/{segment(session_id)}/roster",
            query={
                "dry_run": dry_run,
                "mode": mode,
                "create_subjects": create_subjects,
                "allow_empty": allow_empty,
                "layout": layout,
                "expect_removed": expect_removed,
            },
            body=body if isinstance(body, Mapping) else None,
            csv=None if isinstance(body, Mapping) else body,
        )
        return self._send_for(call, models.RosterReport)

    def list_let_in_today(self, session_id: UUID, *, external_id: str | None = None) -> models.LetInTodayList:
        """Who was let in to another exam today, where and when; to an operator of some exams, theirs alone."""
        call = Call(
            "GET",
            f"/v1/sessions/{segment(session_id)}/roster/let-in-today",
            query={
                "external_id": external_id,
            },
        )
        return self._send_for(call, models.LetInTodayList)

    def print_sheet(
        self, session_id: UUID, *, photographs: bool | None = None, zone: str | None = None
    ) -> bytes:
        """The room sheet, made before the day: QR codes of the numbers, and columns to write in by hand."""
        call = Call(
            "GET",
            f"/v1/sessions/{segment(session_id)}/sheet.pdf",
            query={
                "photographs": photographs,
                "zone": zone,
            },
        )
        return (self._send(call)).content

    def list_waiting(self, session_id: UUID) -> models.WaitingList:
        """All who need a person, oldest first, with the reasons."""
        call = Call("GET", f"/v1/sessions/{segment(session_id)}/waiting")
        return self._send_for(call, models.WaitingList)

    def attend_to_waiting(
        self, session_id: UUID, body: models.AttendedTerms, *, idempotency_key: str | None = None
    ) -> models.WaitingList:
        """Say that somebody who was turned away was seen to; answers with those who still wait."""
        call = Call(
            "POST",
            f"/v1/sessions/{segment(session_id)}/waiting/attended",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return self._send_for(call, models.WaitingList)

    def list_subjects(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        external_id: str | None = None,
        q: str | None = None,
        has_template: bool | None = None,
        is_poor: bool | None = None,
        has_twin: bool | None = None,
        legal_basis: Sequence[Literal["none", "in_force", "expiring", "expired", "withdrawn"]] | None = None,
        sort: Literal["added", "-added", "external_id", "name"] | None = None,
    ) -> models.SubjectList:
        """Subjects, all of them or those that were asked for."""
        call = Call(
            "GET",
            "/v1/subjects",
            query={
                "limit": limit,
                "cursor": cursor,
                "external_id": external_id,
                "q": q,
                "has_template": has_template,
                "is_poor": is_poor,
                "has_twin": has_twin,
                "legal_basis": legal_basis,
                "sort": sort,
            },
        )
        return self._send_for(call, models.SubjectList)

    def iterate_subjects(
        self,
        *,
        limit: int | None = None,
        external_id: str | None = None,
        q: str | None = None,
        has_template: bool | None = None,
        is_poor: bool | None = None,
        has_twin: bool | None = None,
        legal_basis: Sequence[Literal["none", "in_force", "expiring", "expired", "withdrawn"]] | None = None,
        sort: Literal["added", "-added", "external_id", "name"] | None = None,
    ) -> Iterator[models.SubjectDocument]:
        """All of `list_subjects`, page after page; `limit` is how many come at a time."""
        return self._items(
            lambda cursor: self.list_subjects(
                limit=limit,
                cursor=cursor,
                external_id=external_id,
                q=q,
                has_template=has_template,
                is_poor=is_poor,
                has_twin=has_twin,
                legal_basis=legal_basis,
                sort=sort,
            )
        )

    def add_subject(
        self, body: models.SubjectFields, *, idempotency_key: str | None = None
    ) -> models.SubjectDocument:
        """Add a subject; a face comes with the first template."""
        call = Call(
            "POST",
            "/v1/subjects",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return self._send_for(call, models.SubjectDocument)

    def erase_subject(self, subject: UUID | str, *, despite_hold: str | None = None) -> models.Receipt:
        """Erase a subject: row, templates, vectors and kept answers are gone before this answers.

        Who is on hold, or a candidate of an exam that is, is erased only by an administrator who says why."""
        call = Call(
            "DELETE",
            f"/v1/subjects/{segment(subject)}",
            query={
                "despite_hold": despite_hold,
            },
        )
        return self._send_for(call, models.Receipt)

    def show_subject(self, subject: UUID | str) -> models.SubjectDocument:
        """One subject."""
        call = Call("GET", f"/v1/subjects/{segment(subject)}")
        return self._send_for(call, models.SubjectDocument)

    def change_subject(self, subject: UUID | str, body: models.SubjectFields) -> models.SubjectDocument:
        """Change the fields that are sent; null empties one."""
        call = Call("PATCH", f"/v1/subjects/{segment(subject)}", body=body)
        return self._send_for(call, models.SubjectDocument)

    def list_cards(self, subject: UUID | str) -> models.Cards:
        """The further numbers of a person."""
        call = Call("GET", f"/v1/subjects/{segment(subject)}/cards")
        return self._send_for(call, models.Cards)

    def set_cards(self, subject: UUID | str, body: models.Cards) -> models.Cards:
        """Give a person these further numbers in place of the former; none is an answer to a lost card."""
        call = Call("PUT", f"/v1/subjects/{segment(subject)}/cards", body=body)
        return self._send_for(call, models.Cards)

    def issue_enrolment_link(
        self,
        subject: UUID | str,
        *,
        days: int | None = None,
        direct: bool | None = None,
        idempotency_key: str | None = None,
    ) -> models.NewEnrolmentLink:
        """A link for the person alone, in place of a former one: one picture, ten attempts, and an end."""
        call = Call(
            "POST",
            f"/v1/subjects/{segment(subject)}/enrolment-link",
            query={
                "days": days,
                "direct": direct,
            },
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
        )
        return self._send_for(call, models.NewEnrolmentLink)

    def download_person_file(self, subject: UUID | str) -> models.PersonFile:
        """Everything that is held about one person, over all exams; templates and pictures are named alone."""
        call = Call("GET", f"/v1/subjects/{segment(subject)}/file")
        return self._send_for(call, models.PersonFile)

    def print_person_file(self, subject: UUID | str, *, zone: str | None = None) -> bytes:
        """The same on paper, to hand over to the person."""
        call = Call(
            "GET",
            f"/v1/subjects/{segment(subject)}/file.pdf",
            query={
                "zone": zone,
            },
        )
        return (self._send(call)).content

    def remove_portrait(self, subject: UUID | str) -> None:
        """Remove the portrait; direct links then bring proposals."""
        call = Call("DELETE", f"/v1/subjects/{segment(subject)}/portrait")
        self._send(call)

    def show_portrait(self, subject: UUID | str) -> bytes:
        """The portrait; that somebody has looked goes into the audit trail."""
        call = Call("GET", f"/v1/subjects/{segment(subject)}/portrait")
        return (self._send(call)).content

    def put_portrait(
        self, subject: UUID | str, image: Picture, *, idempotency_key: str | None = None
    ) -> models.PortraitDocument:
        """Keep a portrait, in place of a former one: one face. It is sealed, and is not a template.

                It is shown beside a picture that the person sends, and in a case where no crop is kept. A direct link
        enrols at once what matches it."""
        call = Call(
            "PUT",
            f"/v1/subjects/{segment(subject)}/portrait",
            pictures={
                "image": image,
            },
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
        )
        return self._send_for(call, models.PortraitDocument)

    def list_templates(self, subject: UUID | str) -> models.TemplateList:
        """The subject's templates, without their vectors."""
        call = Call("GET", f"/v1/subjects/{segment(subject)}/templates")
        return self._send_for(call, models.TemplateList)

    def enrol_template(
        self,
        subject: UUID | str,
        image: Picture,
        *,
        force: bool | None = None,
        reason: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.Enrolment:
        """Enrol one photograph of a subject: one face, good enough, and not already somebody else's."""
        call = Call(
            "POST",
            f"/v1/subjects/{segment(subject)}/templates",
            query={
                "force": force,
                "reason": reason,
            },
            pictures={
                "image": image,
            },
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
        )
        return self._send_for(call, models.Enrolment)

    def remove_template(self, template_id: UUID, subject: UUID | str) -> None:
        """Remove a template; before the answer it is gone, and is never found again."""
        call = Call("DELETE", f"/v1/subjects/{segment(subject)}/templates/{segment(template_id)}")
        self._send(call)

    def list_twins(self, subject: UUID | str) -> models.TwinList:
        """Who is enrolled in spite of this subject's face, and why."""
        call = Call("GET", f"/v1/subjects/{segment(subject)}/twins")
        return self._send_for(call, models.TwinList)

    def verify_subject(
        self, subject: UUID | str, image: Picture, *, idempotency_key: str | None = None
    ) -> models.Decision:
        """Compare one photograph with this subject's templates, and with nobody else's."""
        call = Call(
            "POST",
            f"/v1/subjects/{segment(subject)}/verify",
            pictures={
                "image": image,
            },
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
        )
        return self._send_for(call, models.Decision)

    def withdraw_consent(
        self, subject: UUID | str, *, idempotency_key: str | None = None
    ) -> models.WithdrawalReceiptDocument:
        """End a subject's consent: templates, crops and kept answers are gone before this answers."""
        call = Call(
            "POST",
            f"/v1/subjects/{segment(subject)}/withdrawal",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
        )
        return self._send_for(call, models.WithdrawalReceiptDocument)

    def issue_withdrawal_link(
        self, subject: UUID | str, *, idempotency_key: str | None = None
    ) -> models.WithdrawalLinkDocument:
        """A link for the person alone: whoever has it can withdraw their consent, and nothing else."""
        call = Call(
            "POST",
            f"/v1/subjects/{segment(subject)}/withdrawal-link",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
        )
        return self._send_for(call, models.WithdrawalLinkDocument)

    def list_rooms(self, *, exam_id: UUID | None = None) -> models.Rooms:
        """All who need a person in any session that is open now, oldest first, and how these sessions stand."""
        call = Call(
            "GET",
            "/v1/waiting",
            query={
                "exam_id": exam_id,
            },
        )
        return self._send_for(call, models.Rooms)

    def follow_rooms(
        self, *, exam_id: UUID | None = None, last_event_id: str | None = None
    ) -> Iterator[httpx2.ServerSentEvent]:
        """All rooms at once: `rooms`, then the messages of each session's board, with its `session_id`.

        `rooms` comes again when a session opens or closes, and whenever a connection begins."""
        return self._follow(
            "/v1/waiting/live",
            last_event_id,
            {
                "exam_id": exam_id,
            },
        )

    def list_webhooks(self, *, limit: int | None = None, cursor: str | None = None) -> models.WebhookList:
        """The webhooks in the order they were made."""
        call = Call(
            "GET",
            "/v1/webhooks",
            query={
                "limit": limit,
                "cursor": cursor,
            },
        )
        return self._send_for(call, models.WebhookList)

    def iterate_webhooks(self, *, limit: int | None = None) -> Iterator[models.WebhookDocument]:
        """All of `list_webhooks`, page after page; `limit` is how many come at a time."""
        return self._items(
            lambda cursor: self.list_webhooks(
                limit=limit,
                cursor=cursor,
            )
        )

    def add_webhook(
        self, body: models.NewWebhook, *, idempotency_key: str | None = None
    ) -> models.IssuedWebhook:
        """Call an address about what happens from now on."""
        call = Call(
            "POST",
            "/v1/webhooks",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return self._send_for(call, models.IssuedWebhook)

    def remove_webhook(self, webhook_id: UUID) -> None:
        """Remove a webhook and its messages."""
        call = Call("DELETE", f"/v1/webhooks/{segment(webhook_id)}")
        self._send(call)

    def change_webhook(self, webhook_id: UUID, body: models.WebhookChange) -> models.WebhookDocument:
        """Disable a webhook, or enable it again: what happened meanwhile is delivered then."""
        call = Call("PATCH", f"/v1/webhooks/{segment(webhook_id)}", body=body)
        return self._send_for(call, models.WebhookDocument)

    def list_webhook_deliveries(
        self, webhook_id: UUID, *, limit: int | None = None, cursor: str | None = None
    ) -> models.DeliveryList:
        """The last messages of a webhook, the newest first."""
        call = Call(
            "GET",
            f"/v1/webhooks/{segment(webhook_id)}/deliveries",
            query={
                "limit": limit,
                "cursor": cursor,
            },
        )
        return self._send_for(call, models.DeliveryList)

    def iterate_webhook_deliveries(
        self, webhook_id: UUID, *, limit: int | None = None
    ) -> Iterator[models.DeliveryDocument]:
        """All of `list_webhook_deliveries`, page after page; `limit` is how many come at a time."""
        return self._items(
            lambda cursor: self.list_webhook_deliveries(
                webhook_id,
                limit=limit,
                cursor=cursor,
            )
        )

    def send_webhook_again(self, webhook_id: UUID, delivery_id: UUID) -> models.DeliveryDocument:
        """Send a message once more, with its former id."""
        call = Call(
            "POST", f"/v1/webhooks/{segment(webhook_id)}/deliveries/{segment(delivery_id)}/send-again"
        )
        return self._send_for(call, models.DeliveryDocument)

    def rotate_webhook_secret(self, webhook_id: UUID) -> models.IssuedWebhook:
        """Make another secret, which signs every message from now on, those that are tried again too."""
        call = Call("POST", f"/v1/webhooks/{segment(webhook_id)}/secret")
        return self._send_for(call, models.IssuedWebhook)

    def test_webhook(self, webhook_id: UUID) -> models.DeliveryDocument:
        """Send a message that tells of nothing (`webhook.test`)."""
        call = Call("POST", f"/v1/webhooks/{segment(webhook_id)}/test")
        return self._send_for(call, models.DeliveryDocument)


class AsyncOperations(AsyncTransport):
    """Every operation of the service."""

    async def list_audit_events(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        subject_id: UUID | None = None,
        action: str | None = None,
        actor: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        order: Literal["asc", "desc"] | None = None,
    ) -> models.AuditEventList:
        """The events in their order, or the newest first; of a subject, an action, an actor or a time."""
        call = Call(
            "GET",
            "/v1/audit-events",
            query={
                "limit": limit,
                "cursor": cursor,
                "subject_id": subject_id,
                "action": action,
                "actor": actor,
                "since": since,
                "until": until,
                "order": order,
            },
        )
        return await self._send_for(call, models.AuditEventList)

    def iterate_audit_events(
        self,
        *,
        limit: int | None = None,
        subject_id: UUID | None = None,
        action: str | None = None,
        actor: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        order: Literal["asc", "desc"] | None = None,
    ) -> AsyncIterator[models.AuditEvent]:
        """All of `list_audit_events`, page after page; `limit` is how many come at a time."""
        return self._items(
            lambda cursor: self.list_audit_events(
                limit=limit,
                cursor=cursor,
                subject_id=subject_id,
                action=action,
                actor=actor,
                since=since,
                until=until,
                order=order,
            )
        )

    async def verify_trail(self, body: models.NotedEvents) -> models.TrailReport:
        """Walk the whole trail, and compare the anchor, events noted elsewhere and all evidence with it.

        It reads every event and every row of evidence: some seconds for a hundred thousand."""
        call = Call("POST", "/v1/audit-events/verify", body=body)
        return await self._send_for(call, models.TrailReport)

    async def show_checkin(self, checkin_id: UUID) -> models.Checkin:
        """One attempt with all that its decision rests on."""
        call = Call("GET", f"/v1/checkins/{segment(checkin_id)}")
        return await self._send_for(call, models.Checkin)

    async def take_complaint(
        self, checkin_id: UUID, body: models.NewComplaint, *, idempotency_key: str | None = None
    ) -> models.Complaint:
        """Record a complaint about a check-in; its exam's evidence is on hold until it is answered."""
        call = Call(
            "POST",
            f"/v1/checkins/{segment(checkin_id)}/complaints",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return await self._send_for(call, models.Complaint)

    async def show_enrolment(self, checkin_id: UUID) -> bytes:
        """The enrolment that an attempt was compared with, where its crop is kept; the look is recorded."""
        call = Call("GET", f"/v1/checkins/{segment(checkin_id)}/enrolment")
        return (await self._send(call)).content

    async def explain_checkin_pictures(self, checkin_id: UUID) -> models.CaseExplanation:
        """Which places of both faces made them near or far; that the pictures were looked at is recorded.

        Each of 49 cells of each face is covered in turn, and compared. It takes a worker for pictures."""
        call = Call("GET", f"/v1/checkins/{segment(checkin_id)}/explanation")
        return await self._send_for(call, models.CaseExplanation)

    async def draw_explanation(self, checkin_id: UUID) -> bytes:
        """The same as a picture of both faces side by side: the one at the door, then the enrolled one."""
        call = Call("GET", f"/v1/checkins/{segment(checkin_id)}/explanation.png")
        return (await self._send(call)).content

    async def override_checkin(
        self, checkin_id: UUID, body: models.OverrideTerms, *, idempotency_key: str | None = None
    ) -> models.Overridden:
        """Settle an attempt, or correct how it was settled, with a reason. The attempt itself never changes."""
        call = Call(
            "POST",
            f"/v1/checkins/{segment(checkin_id)}/override",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return await self._send_for(call, models.Overridden)

    async def show_thumbnail(self, checkin_id: UUID) -> bytes:
        """The small picture of an attempt, where the exam keeps them; that it was looked at is recorded."""
        call = Call("GET", f"/v1/checkins/{segment(checkin_id)}/thumbnail")
        return (await self._send(call)).content

    async def compare_pictures(
        self, image_a: Picture, image_b: Picture, *, idempotency_key: str | None = None
    ) -> models.Decision:
        """Compare two photographs; nothing of them is stored. `probe_quality` is that of `image_b`."""
        call = Call(
            "POST",
            "/v1/compare",
            pictures={
                "image_a": image_a,
                "image_b": image_b,
            },
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
        )
        return await self._send_for(call, models.Decision)

    async def list_complaints(
        self, *, answered: bool | None = None, checkin_id: UUID | None = None
    ) -> models.ComplaintList:
        """The open complaints, the first due first; to an operator who is held to some exams, theirs."""
        call = Call(
            "GET",
            "/v1/complaints",
            query={
                "answered": answered,
                "checkin_id": checkin_id,
            },
        )
        return await self._send_for(call, models.ComplaintList)

    async def answer_complaint(
        self, complaint_id: UUID, body: models.ComplaintAnswer, *, idempotency_key: str | None = None
    ) -> models.Complaint:
        """Record the answer; the complaint's hold is lifted."""
        call = Call(
            "POST",
            f"/v1/complaints/{segment(complaint_id)}/answer",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return await self._send_for(call, models.Complaint)

    async def enrol_photo_of(
        self,
        image: Picture,
        external_id: str,
        *,
        display_name: str | None = None,
        dry_run: bool | None = None,
        force: bool | None = None,
        reason: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.PhotoEnrolment:
        """Enrol one photo of somebody who is named by an external id, and is added where nobody has it.

        A dry run compares with who is enrolled, and not with other photos of the same list."""
        call = Call(
            "POST",
            "/v1/enrolments",
            query={
                "dry_run": dry_run,
                "force": force,
                "reason": reason,
            },
            form={
                "display_name": display_name,
                "external_id": external_id,
            },
            pictures={
                "image": image,
            },
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
        )
        return await self._send_for(call, models.PhotoEnrolment)

    async def read_photo_list(self, body: str | bytes | Mapping[str, Any]) -> models.PhotoList:
        """Read a list of photos in CSV, as the command line does; nothing is stored."""
        call = Call(
            "POST",
            "/v1/enrolments/list",
            body=body if isinstance(body, Mapping) else None,
            csv=None if isinstance(body, Mapping) else body,
        )
        return await self._send_for(call, models.PhotoList)

    async def list_exams(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        archived: bool | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> models.ExamList:
        """The exams, newest first; to an operator who is held to some, these."""
        call = Call(
            "GET",
            "/v1/exams",
            query={
                "limit": limit,
                "cursor": cursor,
                "archived": archived,
                "since": since,
                "until": until,
            },
        )
        return await self._send_for(call, models.ExamList)

    def iterate_exams(
        self,
        *,
        limit: int | None = None,
        archived: bool | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> AsyncIterator[models.Exam]:
        """All of `list_exams`, page after page; `limit` is how many come at a time."""
        return self._items(
            lambda cursor: self.list_exams(
                limit=limit,
                cursor=cursor,
                archived=archived,
                since=since,
                until=until,
            )
        )

    async def create_exam(self, body: models.ExamTerms, *, idempotency_key: str | None = None) -> models.Exam:
        """Make an exam: its rules hold for all its sessions."""
        call = Call(
            "POST",
            "/v1/exams",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return await self._send_for(call, models.Exam)

    async def show_exam_defaults(self) -> models.ExamDefaults:
        """What holds for an exam that sets nothing itself, the server's rates among it."""
        call = Call("GET", "/v1/exams/defaults")
        return await self._send_for(call, models.ExamDefaults)

    async def delete_exam(self, exam_id: UUID, *, reason: str | None = None) -> models.Exam | None:
        """Archive an exam that has an attempt: it stays readable and takes no change. Another one is deleted.

        While one of its sessions is open it takes an administrator and a reason."""
        call = Call(
            "DELETE",
            f"/v1/exams/{segment(exam_id)}",
            query={
                "reason": reason,
            },
        )
        return await self._send_for_any(call, models.Exam)

    async def show_exam(self, exam_id: UUID) -> models.Exam:
        """One exam with the rates in force."""
        call = Call("GET", f"/v1/exams/{segment(exam_id)}")
        return await self._send_for(call, models.Exam)

    async def change_exam(self, exam_id: UUID, body: models.ExamChanges) -> models.Exam:
        """Change an exam's rules; what was decided under the former ones stays as it is."""
        call = Call("PATCH", f"/v1/exams/{segment(exam_id)}", body=body)
        return await self._send_for(call, models.Exam)

    async def list_exam_attendance(
        self,
        exam_id: UUID,
        *,
        separator: Literal["comma", "semicolon", "tab"] | None = None,
        zone: str | None = None,
    ) -> str:
        """Who was there, as a plain list: in all rooms of an exam."""
        call = Call(
            "GET",
            f"/v1/exams/{segment(exam_id)}/attendance.csv",
            query={
                "separator": separator,
                "zone": zone,
            },
        )
        return (await self._send(call)).text

    async def print_exam_attendance(self, exam_id: UUID, *, zone: str | None = None) -> bytes:
        """Who was there, to print and to sign: in all rooms of an exam."""
        call = Call(
            "GET",
            f"/v1/exams/{segment(exam_id)}/attendance.pdf",
            query={
                "zone": zone,
            },
        )
        return (await self._send(call)).content

    async def report_by_group(
        self, exam_id: UUID, body: str | bytes | Mapping[str, Any]
    ) -> models.GroupsReport:
        """Attempts, seconds, failures to acquire, referrals and errors of each group, with intervals.

        The file is read in memory and kept nowhere; groups of fewer than 20 people who tried are left out."""
        call = Call(
            "POST",
            f"/v1/exams/{segment(exam_id)}/groups-report",
            body=body if isinstance(body, Mapping) else None,
            csv=None if isinstance(body, Mapping) else body,
        )
        return await self._send_for(call, models.GroupsReport)

    async def write_exam_paper(
        self,
        exam_id: UUID,
        paper: Literal["impact-assessment", "notice", "retention", "instructions", "technical-file"],
        *,
        language: str | None = None,
    ) -> str:
        """A draft from the exam's settings and the model's figures; what they do not say is a blank to fill in.

        The notice is written in the language that is asked for, the others in English."""
        call = Call(
            "GET",
            f"/v1/exams/{segment(exam_id)}/paperwork/{segment(paper)}",
            query={
                "language": language,
            },
        )
        return (await self._send(call)).text

    async def purge(
        self, exam_id: UUID, *, dry_run: bool | None = None, idempotency_key: str | None = None
    ) -> models.Purge:
        """Remove an exam's rosters, attempts, overrides and pictures once their retention is over."""
        call = Call(
            "POST",
            f"/v1/exams/{segment(exam_id)}/purge",
            query={
                "dry_run": dry_run,
            },
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
        )
        return await self._send_for(call, models.Purge)

    async def show_exam_readiness(self, exam_id: UUID) -> models.ExamReadiness:
        """Who cannot be verified in any room of an exam and why, and which candidates look alike."""
        call = Call("GET", f"/v1/exams/{segment(exam_id)}/readiness")
        return await self._send_for(call, models.ExamReadiness)

    async def download_exam_readiness(
        self,
        exam_id: UUID,
        *,
        separator: Literal["comma", "semicolon", "tab"] | None = None,
        zone: str | None = None,
    ) -> str:
        """Who is ready and who is not, why, and how old the photographs are: in all rooms of an exam."""
        call = Call(
            "GET",
            f"/v1/exams/{segment(exam_id)}/readiness.csv",
            query={
                "separator": separator,
                "zone": zone,
            },
        )
        return (await self._send(call)).text

    async def list_sessions(
        self, exam_id: UUID, *, limit: int | None = None, cursor: str | None = None
    ) -> models.SessionList:
        """The sessions of an exam."""
        call = Call(
            "GET",
            f"/v1/exams/{segment(exam_id)}/sessions",
            query={
                "limit": limit,
                "cursor": cursor,
            },
        )
        return await self._send_for(call, models.SessionList)

    def iterate_sessions(self, exam_id: UUID, *, limit: int | None = None) -> AsyncIterator[models.Session]:
        """All of `list_sessions`, page after page; `limit` is how many come at a time."""
        return self._items(
            lambda cursor: self.list_sessions(
                exam_id,
                limit=limit,
                cursor=cursor,
            )
        )

    async def create_session(
        self, exam_id: UUID, body: models.SessionTerms, *, idempotency_key: str | None = None
    ) -> models.Session:
        """Make a session: one room, one window of time."""
        call = Call(
            "POST",
            f"/v1/exams/{segment(exam_id)}/sessions",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return await self._send_for(call, models.Session)

    async def show_survey(self, *, limit: int | None = None) -> models.GallerySurvey:
        """Photographs that may be under a wrong name, and everybody's nearest other person.

                Nobody whose legal basis has ended is compared. Without `scores:read` the lists are in order and show no
        distance."""
        call = Call(
            "GET",
            "/v1/gallery/survey",
            query={
                "limit": limit,
            },
        )
        return await self._send_for(call, models.GallerySurvey)

    async def list_holds(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        lifted: bool | None = None,
        exam_id: UUID | None = None,
        subject_id: UUID | None = None,
    ) -> models.HoldList:
        """What is kept from every sweep, for whom and why."""
        call = Call(
            "GET",
            "/v1/holds",
            query={
                "limit": limit,
                "cursor": cursor,
                "lifted": lifted,
                "exam_id": exam_id,
                "subject_id": subject_id,
            },
        )
        return await self._send_for(call, models.HoldList)

    def iterate_holds(
        self,
        *,
        limit: int | None = None,
        lifted: bool | None = None,
        exam_id: UUID | None = None,
        subject_id: UUID | None = None,
    ) -> AsyncIterator[models.Hold]:
        """All of `list_holds`, page after page; `limit` is how many come at a time."""
        return self._items(
            lambda cursor: self.list_holds(
                limit=limit,
                cursor=cursor,
                lifted=lifted,
                exam_id=exam_id,
                subject_id=subject_id,
            )
        )

    async def put_hold(self, body: models.NewHold, *, idempotency_key: str | None = None) -> models.Hold:
        """Keep an exam or a subject from every sweep, for an appeal, a complaint or a court.

        An exam waits as a whole for a candidate on hold. A withdrawal of consent goes through all the same."""
        call = Call(
            "POST",
            "/v1/holds",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return await self._send_for(call, models.Hold)

    async def lift_hold(
        self, hold_id: UUID, body: models.Lifting, *, idempotency_key: str | None = None
    ) -> models.Hold:
        """End a hold: what is past its time is announced again, and goes a day later at the earliest."""
        call = Call(
            "POST",
            f"/v1/holds/{segment(hold_id)}/lift",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return await self._send_for(call, models.Hold)

    async def show_installation(self) -> models.Installation:
        """Version, model, database, disk, anchor, clock and every setting; no secret and nothing of a person."""
        call = Call("GET", "/v1/installation")
        return await self._send_for(call, models.Installation)

    async def confirm_clock(self) -> models.ClockConfirmed:
        """Say that the clock is right after it leapt: deletions start again, each announced a day before."""
        call = Call("POST", "/v1/installation/clock")
        return await self._send_for(call, models.ClockConfirmed)

    async def list_jobs(self, *, limit: int | None = None, cursor: str | None = None) -> models.JobList:
        """The jobs, newest first."""
        call = Call(
            "GET",
            "/v1/jobs",
            query={
                "limit": limit,
                "cursor": cursor,
            },
        )
        return await self._send_for(call, models.JobList)

    def iterate_jobs(self, *, limit: int | None = None) -> AsyncIterator[models.JobDocument]:
        """All of `list_jobs`, page after page; `limit` is how many come at a time."""
        return self._items(
            lambda cursor: self.list_jobs(
                limit=limit,
                cursor=cursor,
            )
        )

    async def submit_job(
        self, body: models.NewJob, *, idempotency_key: str | None = None
    ) -> models.JobDocument:
        """Let a job wait for a worker (`invigil worker`); `Location` says where to follow it."""
        call = Call(
            "POST",
            "/v1/jobs",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return await self._send_for(call, models.JobDocument)

    async def show_job(self, job_id: str, *, log_lines: int | None = None) -> models.JobDocument:
        """One job: how far it is, its figures, the end of its log, its result or its error."""
        call = Call(
            "GET",
            f"/v1/jobs/{segment(job_id)}",
            query={
                "log_lines": log_lines,
            },
        )
        return await self._send_for(call, models.JobDocument)

    async def cancel_job(self, job_id: str, *, idempotency_key: str | None = None) -> models.JobDocument:
        """Ask for a job's end; a running one ends at its next step. Asking twice is asking once."""
        call = Call(
            "POST",
            f"/v1/jobs/{segment(job_id)}/cancel",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
        )
        return await self._send_for(call, models.JobDocument)

    async def list_keys(self, *, limit: int | None = None, cursor: str | None = None) -> models.KeyList:
        """The keys in the order they were made, revoked ones too."""
        call = Call(
            "GET",
            "/v1/keys",
            query={
                "limit": limit,
                "cursor": cursor,
            },
        )
        return await self._send_for(call, models.KeyList)

    def iterate_keys(self, *, limit: int | None = None) -> AsyncIterator[models.KeyDocument]:
        """All of `list_keys`, page after page; `limit` is how many come at a time."""
        return self._items(
            lambda cursor: self.list_keys(
                limit=limit,
                cursor=cursor,
            )
        )

    async def create_key(
        self, body: models.NewKey, *, idempotency_key: str | None = None
    ) -> models.IssuedKey:
        """Make a key."""
        call = Call(
            "POST",
            "/v1/keys",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return await self._send_for(call, models.IssuedKey)

    async def revoke_key(self, key_id: UUID) -> models.KeyDocument:
        """Revoke a key: from this answer on it opens nothing, in any process."""
        call = Call("DELETE", f"/v1/keys/{segment(key_id)}")
        return await self._send_for(call, models.KeyDocument)

    async def look_at_code(self, body: models.CodeGiven) -> models.Asking:
        """Which tablet shows a code, before it is let in. Wrong codes are counted, and few are allowed."""
        call = Call("POST", "/v1/kiosk-codes/look", body=body)
        return await self._send_for(call, models.Asking)

    async def list_list_layouts(
        self, *, limit: int | None = None, cursor: str | None = None
    ) -> models.ListLayoutList:
        """The kinds of lists that somebody has explained."""
        call = Call(
            "GET",
            "/v1/list-layouts",
            query={
                "limit": limit,
                "cursor": cursor,
            },
        )
        return await self._send_for(call, models.ListLayoutList)

    def iterate_list_layouts(self, *, limit: int | None = None) -> AsyncIterator[models.ListLayout]:
        """All of `list_list_layouts`, page after page; `limit` is how many come at a time."""
        return self._items(
            lambda cursor: self.list_list_layouts(
                limit=limit,
                cursor=cursor,
            )
        )

    async def forget_list_layout(self, name: str) -> None:
        """Forget a kind of list; what was imported stays."""
        call = Call("DELETE", f"/v1/list-layouts/{segment(name)}")
        await self._send(call)

    async def keep_list_layout(self, name: str, body: models.LayoutTerms) -> models.ListLayout:
        """Say which heading of a kind of list is which column: from now on, lists with these are read so."""
        call = Call("PUT", f"/v1/list-layouts/{segment(name)}", body=body)
        return await self._send_for(call, models.ListLayout)

    async def show_me(self) -> models.Me:
        """The key or the operator that sends the request."""
        call = Call("GET", "/v1/me")
        return await self._send_for(call, models.Me)

    async def change_password(self, body: models.PasswordChange) -> models.OperatorDocument:
        """Set another password; every other page of the operator is signed out."""
        call = Call("PUT", "/v1/me/password", body=body)
        return await self._send_for(call, models.OperatorDocument)

    async def begin_second_factor(self, body: models.PasswordGiven) -> models.NewSecondFactor:
        """A secret for an app of one-time codes; it counts once a code has shown that the app has it."""
        call = Call("PUT", "/v1/me/second-factor", body=body)
        return await self._send_for(call, models.NewSecondFactor)

    async def confirm_second_factor(self, body: models.Confirmation) -> models.OperatorDocument:
        """Ask for a code at every sign-in from now on; every other page of the operator is signed out."""
        call = Call("PUT", "/v1/me/second-factor/confirmation", body=body)
        return await self._send_for(call, models.OperatorDocument)

    async def remove_second_factor(self, body: models.PasswordGiven) -> models.OperatorDocument:
        """Ask for no code any more."""
        call = Call("PUT", "/v1/me/second-factor/removal", body=body)
        return await self._send_for(call, models.OperatorDocument)

    async def list_models(self) -> models.ModelList:
        """The models of this installation, oldest first."""
        call = Call("GET", "/v1/models")
        return await self._send_for(call, models.ModelList)

    async def roll_back_model(
        self, body: models.RollBack | None, *, idempotency_key: str | None = None
    ) -> models.Switch:
        """Return to the model that the active one replaced, with everybody who was enrolled since."""
        call = Call(
            "POST",
            "/v1/models/rollback",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return await self._send_for(call, models.Switch)

    async def show_model(self, model_id: str) -> models.ShownModel:
        """One model."""
        call = Call("GET", f"/v1/models/{segment(model_id)}")
        return await self._send_for(call, models.ShownModel)

    async def list_lacking(
        self, model_id: str, *, limit: int | None = None, cursor: str | None = None
    ) -> models.Lacking:
        """The subjects who have templates, but none of this model and no kept crop to make one of."""
        call = Call(
            "GET",
            f"/v1/models/{segment(model_id)}/lacking",
            query={
                "limit": limit,
                "cursor": cursor,
            },
        )
        return await self._send_for(call, models.Lacking)

    def iterate_lacking(self, model_id: str, *, limit: int | None = None) -> AsyncIterator[UUID]:
        """All of `list_lacking`, page after page; `limit` is how many come at a time."""
        return self._items(
            lambda cursor: self.list_lacking(
                model_id,
                limit=limit,
                cursor=cursor,
            )
        )

    async def promote_model(
        self, model_id: str, body: models.Promote | None, *, idempotency_key: str | None = None
    ) -> models.Switch:
        """Make a candidate the active model; its templates of kept crops are made first."""
        call = Call(
            "POST",
            f"/v1/models/{segment(model_id)}/promote",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return await self._send_for(call, models.Switch)

    async def end_model_shadow(self, model_id: str) -> models.ModelShadow:
        """Take a candidate out of the shadow; what was counted stays."""
        call = Call("DELETE", f"/v1/models/{segment(model_id)}/shadow")
        return await self._send_for(call, models.ModelShadow)

    async def show_model_shadow(self, model_id: str) -> models.ModelShadow:
        """What a candidate said in the shadow of the active model."""
        call = Call("GET", f"/v1/models/{segment(model_id)}/shadow")
        return await self._send_for(call, models.ModelShadow)

    async def start_model_shadow(
        self, model_id: str, *, idempotency_key: str | None = None
    ) -> models.ModelShadow:
        """Let a candidate look at what is decided from now on; one at a time."""
        call = Call(
            "POST",
            f"/v1/models/{segment(model_id)}/shadow",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
        )
        return await self._send_for(call, models.ModelShadow)

    async def list_shadow_disagreements(
        self, model_id: str, *, limit: int | None = None, cursor: str | None = None
    ) -> models.ShadowDisagreements:
        """The check-ins on which both disagreed, while their evidence is kept."""
        call = Call(
            "GET",
            f"/v1/models/{segment(model_id)}/shadow/disagreements",
            query={
                "limit": limit,
                "cursor": cursor,
            },
        )
        return await self._send_for(call, models.ShadowDisagreements)

    def iterate_shadow_disagreements(
        self, model_id: str, *, limit: int | None = None
    ) -> AsyncIterator[models.ShadowDisagreement]:
        """All of `list_shadow_disagreements`, page after page; `limit` is how many come at a time."""
        return self._items(
            lambda cursor: self.list_shadow_disagreements(
                model_id,
                limit=limit,
                cursor=cursor,
            )
        )

    async def show_model_use(self, model_id: str, *, weeks: int | None = None) -> models.ModelUse:
        """Referrals, overrides and refusals by week and by kiosk, the rates they imply, and alarms."""
        call = Call(
            "GET",
            f"/v1/models/{segment(model_id)}/use",
            query={
                "weeks": weeks,
            },
        )
        return await self._send_for(call, models.ModelUse)

    async def undo(
        self, movement_id: UUID, body: models.UndoTerms, *, idempotency_key: str | None = None
    ) -> models.Movement:
        """Take a candidate's newest movement back: it never happened. The row stays, and so does this one."""
        call = Call(
            "POST",
            f"/v1/movements/{segment(movement_id)}/undo",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return await self._send_for(call, models.Movement)

    async def list_operators(
        self, *, limit: int | None = None, cursor: str | None = None
    ) -> models.OperatorList:
        """The operators in the order they were invited, ended ones too."""
        call = Call(
            "GET",
            "/v1/operators",
            query={
                "limit": limit,
                "cursor": cursor,
            },
        )
        return await self._send_for(call, models.OperatorList)

    def iterate_operators(self, *, limit: int | None = None) -> AsyncIterator[models.OperatorDocument]:
        """All of `list_operators`, page after page; `limit` is how many come at a time."""
        return self._items(
            lambda cursor: self.list_operators(
                limit=limit,
                cursor=cursor,
            )
        )

    async def create_operator(
        self, body: models.NewOperator, *, idempotency_key: str | None = None
    ) -> models.InvitedOperator:
        """Invite somebody. The answer has the link by which the person sets a password, for seven days."""
        call = Call(
            "POST",
            "/v1/operators",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return await self._send_for(call, models.InvitedOperator)

    async def end_operator(self, operator_id: UUID) -> models.OperatorDocument:
        """End an operator: from this answer on there is no page, board or sign-in, in any process."""
        call = Call("DELETE", f"/v1/operators/{segment(operator_id)}")
        return await self._send_for(call, models.OperatorDocument)

    async def show_operator(self, operator_id: UUID) -> models.OperatorDocument:
        """One operator."""
        call = Call("GET", f"/v1/operators/{segment(operator_id)}")
        return await self._send_for(call, models.OperatorDocument)

    async def change_operator(
        self, operator_id: UUID, body: models.OperatorChanges
    ) -> models.OperatorDocument:
        """Change a name, a role or the exams; who may do something else now is signed out at once."""
        call = Call("PATCH", f"/v1/operators/{segment(operator_id)}", body=body)
        return await self._send_for(call, models.OperatorDocument)

    async def reset_operator(
        self, operator_id: UUID, *, idempotency_key: str | None = None
    ) -> models.InvitedOperator:
        """Forget password and second factor, sign out, and give a new link in place of every former one."""
        call = Call(
            "POST",
            f"/v1/operators/{segment(operator_id)}/reset",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
        )
        return await self._send_for(call, models.InvitedOperator)

    async def list_proposals(
        self, *, limit: int | None = None, cursor: str | None = None
    ) -> models.ProposalList:
        """Pictures that people have sent and that wait, oldest first."""
        call = Call(
            "GET",
            "/v1/proposals",
            query={
                "limit": limit,
                "cursor": cursor,
            },
        )
        return await self._send_for(call, models.ProposalList)

    def iterate_proposals(self, *, limit: int | None = None) -> AsyncIterator[models.ProposalDocument]:
        """All of `list_proposals`, page after page; `limit` is how many come at a time."""
        return self._items(
            lambda cursor: self.list_proposals(
                limit=limit,
                cursor=cursor,
            )
        )

    async def accept_sent_picture(
        self, proposal_id: UUID, body: models.Acceptance, *, idempotency_key: str | None = None
    ) -> models.TemplateFacts:
        """Enrol the picture, which the caller has compared with a portrait or a document."""
        call = Call(
            "POST",
            f"/v1/proposals/{segment(proposal_id)}/accept",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return await self._send_for(call, models.TemplateFacts)

    async def show_proposal_picture(self, proposal_id: UUID) -> bytes:
        """The picture that was sent; that somebody has looked goes into the audit trail."""
        call = Call("GET", f"/v1/proposals/{segment(proposal_id)}/picture")
        return (await self._send(call)).content

    async def show_proposal_portrait(self, proposal_id: UUID) -> bytes:
        """The office's portrait of the person, or the kept crop of an enrolment, to look at beside it."""
        call = Call("GET", f"/v1/proposals/{segment(proposal_id)}/portrait")
        return (await self._send(call)).content

    async def refuse_sent_picture(
        self, proposal_id: UUID, body: models.Refusal, *, idempotency_key: str | None = None
    ) -> None:
        """Remove the picture; the person can be sent another link."""
        call = Call(
            "POST",
            f"/v1/proposals/{segment(proposal_id)}/refuse",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        await self._send(call)

    async def assess_quality(
        self,
        image: Picture,
        *,
        for_: Literal["enrol", "verify", "checkin", "kiosk"] | None = None,
        idempotency_key: str | None = None,
    ) -> models.QualityReport:
        """Look at one photograph; no template is made. A picture without a face is an answer, not an error."""
        call = Call(
            "POST",
            "/v1/quality",
            query={
                "for": for_,
            },
            pictures={
                "image": image,
            },
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
        )
        return await self._send_for(call, models.QualityReport)

    async def show_retention(self) -> models.Retention:
        """Each kind of data: how much is kept, what the next sweep announces, what goes when, what is on hold."""
        call = Call("GET", "/v1/retention")
        return await self._send_for(call, models.Retention)

    async def list_exam_retention(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        standing: Literal["kept", "for_ever", "due", "announced", "held", "purged"] | None = None,
    ) -> models.ExamRetentionList:
        """What is kept of each exam and until when, the archive's among them, the newest first."""
        call = Call(
            "GET",
            "/v1/retention/exams",
            query={
                "limit": limit,
                "cursor": cursor,
                "standing": standing,
            },
        )
        return await self._send_for(call, models.ExamRetentionList)

    def iterate_exam_retention(
        self,
        *,
        limit: int | None = None,
        standing: Literal["kept", "for_ever", "due", "announced", "held", "purged"] | None = None,
    ) -> AsyncIterator[models.ExamRetention]:
        """All of `list_exam_retention`, page after page; `limit` is how many come at a time."""
        return self._items(
            lambda cursor: self.list_exam_retention(
                limit=limit,
                cursor=cursor,
                standing=standing,
            )
        )

    async def scan(self, image: Picture, *, idempotency_key: str | None = None) -> models.Scanned:
        """Read the codes in a grey picture of at most 480 × 240 pixels.

        Nothing of it is kept: with an Idempotency-Key too it is read anew."""
        call = Call(
            "POST",
            "/v1/scan",
            pictures={
                "image": image,
            },
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
        )
        return await self._send_for(call, models.Scanned)

    async def search_gallery(
        self,
        image: Picture,
        *,
        k: int | None = None,
        scope: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.SearchResult:
        """The subjects whose templates are near enough, nearest first; an empty list where nobody is."""
        call = Call(
            "POST",
            "/v1/search",
            form={
                "k": k,
                "scope": scope,
            },
            pictures={
                "image": image,
            },
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
        )
        return await self._send_for(call, models.SearchResult)

    async def list_sessions_of_exams(
        self, exam_id: Sequence[UUID], *, limit: int | None = None, cursor: str | None = None
    ) -> models.SessionList:
        """The sessions of several exams; to an operator who is held to some, those of these."""
        call = Call(
            "GET",
            "/v1/sessions",
            query={
                "exam_id": exam_id,
                "limit": limit,
                "cursor": cursor,
            },
        )
        return await self._send_for(call, models.SessionList)

    def iterate_sessions_of_exams(
        self, exam_id: Sequence[UUID], *, limit: int | None = None
    ) -> AsyncIterator[models.Session]:
        """All of `list_sessions_of_exams`, page after page; `limit` is how many come at a time."""
        return self._items(
            lambda cursor: self.list_sessions_of_exams(
                exam_id,
                limit=limit,
                cursor=cursor,
            )
        )

    async def show_session(self, session_id: UUID) -> models.Session:
        """One session with the rates in force and the server's clock."""
        call = Call("GET", f"/v1/sessions/{segment(session_id)}")
        return await self._send_for(call, models.Session)

    async def change_session(self, session_id: UUID, body: models.SessionChanges) -> models.Session:
        """Change a session; the keys of its kiosks follow its window."""
        call = Call("PATCH", f"/v1/sessions/{segment(session_id)}", body=body)
        return await self._send_for(call, models.Session)

    async def list_attendance(
        self,
        session_id: UUID,
        *,
        separator: Literal["comma", "semicolon", "tab"] | None = None,
        zone: str | None = None,
    ) -> str:
        """Who was there, as a plain list: in one room, by seat."""
        call = Call(
            "GET",
            f"/v1/sessions/{segment(session_id)}/attendance.csv",
            query={
                "separator": separator,
                "zone": zone,
            },
        )
        return (await self._send(call)).text

    async def print_attendance(self, session_id: UUID, *, zone: str | None = None) -> bytes:
        """Who was there, to print and to sign: in one room, by seat."""
        call = Call(
            "GET",
            f"/v1/sessions/{segment(session_id)}/attendance.pdf",
            query={
                "zone": zone,
            },
        )
        return (await self._send(call)).content

    async def change_candidate_of_session(
        self, session_id: UUID, external_id: str, body: models.CandidateChanges
    ) -> models.Candidate:
        """Move a candidate to another seat, mark a look-alike whom only a person admits, or allow attempts."""
        call = Call(
            "PATCH", f"/v1/sessions/{segment(session_id)}/candidates/{segment(external_id)}", body=body
        )
        return await self._send_for(call, models.Candidate)

    async def download_evidence(self, session_id: UUID, external_id: str) -> models.Evidence:
        """All that is known about one candidate of a session, with the digests that prove it, as one file."""
        call = Call("GET", f"/v1/sessions/{segment(session_id)}/candidates/{segment(external_id)}/evidence")
        return await self._send_for(call, models.Evidence)

    async def list_checkins(
        self,
        session_id: UUID,
        *,
        outcome: Literal["admitted", "referred", "refused", "identified_manually"] | None = None,
        external_id: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> models.CheckinList:
        """The attempts of a session, newest first."""
        call = Call(
            "GET",
            f"/v1/sessions/{segment(session_id)}/checkins",
            query={
                "outcome": outcome,
                "external_id": external_id,
                "limit": limit,
                "cursor": cursor,
            },
        )
        return await self._send_for(call, models.CheckinList)

    def iterate_checkins(
        self,
        session_id: UUID,
        *,
        outcome: Literal["admitted", "referred", "refused", "identified_manually"] | None = None,
        external_id: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[models.Checkin]:
        """All of `list_checkins`, page after page; `limit` is how many come at a time."""
        return self._items(
            lambda cursor: self.list_checkins(
                session_id,
                outcome=outcome,
                external_id=external_id,
                limit=limit,
                cursor=cursor,
            )
        )

    async def check_in_candidate(
        self,
        session_id: UUID,
        image: Picture,
        *,
        candidate: str | None = None,
        client_time: datetime | None = None,
        final: bool | None = None,
        frames: Sequence[Picture] | None = None,
        kind: Literal["entry", "return"] | None = None,
        kiosk: str | None = None,
        seat: str | None = None,
        since_claim_ms: int | None = None,
        idempotency_key: str | None = None,
    ) -> models.CheckedIn:
        """One photograph decides: admitted, or referred to the invigilator. Nobody is refused by a machine.

                `frames` are 2 to 8 pictures of one size, at most 320 pixels long, of the moments before it, in their
        order; they are looked at for motion and kept nowhere."""
        call = Call(
            "POST",
            f"/v1/sessions/{segment(session_id)}/checkins",
            form={
                "candidate": candidate,
                "client_time": client_time,
                "final": final,
                "frames": frames,
                "kind": kind,
                "kiosk": kiosk,
                "seat": seat,
                "since_claim_ms": since_claim_ms,
            },
            pictures={
                "image": image,
            },
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
        )
        return await self._send_for(call, models.CheckedIn)

    async def check_claim_of_candidate(
        self, session_id: UUID, body: models.NewClaim, *, idempotency_key: str | None = None
    ) -> models.ClaimDocument:
        """Ask before any picture: whoever is unknown, in, settled or by document is told so at once."""
        call = Call(
            "POST",
            f"/v1/sessions/{segment(session_id)}/claims",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return await self._send_for(call, models.ClaimDocument)

    async def request_document_check(
        self, session_id: UUID, body: models.DocumentRequest, *, idempotency_key: str | None = None
    ) -> None:
        """Wait for a person who looks at a document instead of a photograph; no reason is asked for."""
        call = Call(
            "POST",
            f"/v1/sessions/{segment(session_id)}/document-requests",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        await self._send(call)

    async def issue_enrolment_links(
        self,
        session_id: UUID,
        *,
        days: int | None = None,
        direct: bool | None = None,
        as_csv: bool | None = None,
        idempotency_key: str | None = None,
    ) -> models.EnrolmentLinkList:
        """A link for everybody of the roster without a template who may be enrolled."""
        call = Call(
            "POST",
            f"/v1/sessions/{segment(session_id)}/enrolment-links",
            query={
                "days": days,
                "direct": direct,
                "as_csv": as_csv,
            },
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
        )
        return await self._send_for(call, models.EnrolmentLinkList)

    async def identify_candidate(
        self, session_id: UUID, body: models.IdentificationTerms, *, idempotency_key: str | None = None
    ) -> models.Identified:
        """Let a candidate in by a document: no photograph, and no less than one."""
        call = Call(
            "POST",
            f"/v1/sessions/{segment(session_id)}/identifications",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return await self._send_for(call, models.Identified)

    async def create_kiosk_key(
        self, session_id: UUID, body: models.NewKioskKey, *, idempotency_key: str | None = None
    ) -> models.KioskKey:
        """Make a key that can do nothing but check people in to this session, until it closes."""
        call = Call(
            "POST",
            f"/v1/sessions/{segment(session_id)}/kiosk-keys",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return await self._send_for(call, models.KioskKey)

    async def list_kiosks(self, session_id: UUID) -> models.KioskList:
        """The kiosks of a session: name, last sign, camera, battery where it is told."""
        call = Call("GET", f"/v1/sessions/{segment(session_id)}/kiosks")
        return await self._send_for(call, models.KioskList)

    async def add_kiosk(
        self, session_id: UUID, body: models.NewKiosk, *, idempotency_key: str | None = None
    ) -> models.Kiosk:
        """Let the tablet that shows the code be a kiosk of this session until it closes."""
        call = Call(
            "POST",
            f"/v1/sessions/{segment(session_id)}/kiosks",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return await self._send_for(call, models.Kiosk)

    async def give_sign(
        self, session_id: UUID, body: models.KioskSign, *, idempotency_key: str | None = None
    ) -> None:
        """A kiosk says that it is there, and how it fares."""
        call = Call(
            "POST",
            f"/v1/sessions/{segment(session_id)}/kiosks/sign",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        await self._send(call)

    async def end_kiosk(self, session_id: UUID, kiosk_id: UUID) -> models.Kiosk:
        """End a kiosk at once: its page shows nothing more, and its key is revoked."""
        call = Call("DELETE", f"/v1/sessions/{segment(session_id)}/kiosks/{segment(kiosk_id)}")
        return await self._send_for(call, models.Kiosk)

    async def change_kiosk(self, session_id: UUID, kiosk_id: UUID, body: models.KioskChanges) -> models.Kiosk:
        """Call a kiosk by another name."""
        call = Call("PATCH", f"/v1/sessions/{segment(session_id)}/kiosks/{segment(kiosk_id)}", body=body)
        return await self._send_for(call, models.Kiosk)

    def follow_session(
        self, session_id: UUID, *, last_event_id: str | None = None
    ) -> AsyncIterator[httpx2.ServerSentEvent]:
        """The board, then `checkin`, `override`, `declined`, `standing`, `roster`, `session`, at last `closed`.

                `standing` is about a candidate who stands otherwise though nothing happened at the door: consent was
        withdrawn, a legal basis has ended, somebody was erased. `closed` comes when the window is over, or when
        the exam is archived or deleted."""
        return self._follow(f"/v1/sessions/{segment(session_id)}/live", last_event_id)

    async def list_movements(
        self,
        session_id: UUID,
        *,
        external_id: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> models.MovementList:
        """The movements of a session or of one candidate, and who is out now."""
        call = Call(
            "GET",
            f"/v1/sessions/{segment(session_id)}/movements",
            query={
                "external_id": external_id,
                "limit": limit,
                "cursor": cursor,
            },
        )
        return await self._send_for(call, models.MovementList)

    def iterate_movements(
        self, session_id: UUID, *, external_id: str | None = None, limit: int | None = None
    ) -> AsyncIterator[models.Movement]:
        """All of `list_movements`, page after page; `limit` is how many come at a time."""
        return self._items(
            lambda cursor: self.list_movements(
                session_id,
                external_id=external_id,
                limit=limit,
                cursor=cursor,
            )
        )

    async def record_movement(
        self, session_id: UUID, body: models.MovementTerms, *, idempotency_key: str | None = None
    ) -> models.Movement:
        """Somebody goes out or leaves, or comes back by a document; a return by photograph is a check-in.

                A kiosk keeps to the session's rules. Who holds `override` may record with a reason what happened against
        them, and identifies whoever comes back by a document."""
        call = Call(
            "POST",
            f"/v1/sessions/{segment(session_id)}/movements",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return await self._send_for(call, models.Movement)

    async def type_in_paper(
        self,
        session_id: UUID,
        body: str | bytes | Mapping[str, Any],
        *,
        dry_run: bool | None = None,
        zone: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.PaperReport:
        """Record who came and left by a room sheet, with the paper's times and `source = paper`.

                Each line by itself: what is wrong with one stops no other, and a line that was typed in before changes
        nothing. Who is in already, otherwise than paper says, is a `conflict`, and nothing is merged."""
        call = Call(
            "POST",
            f"/v1/sessions/{segment(session_id)}/paper",
            query={
                "dry_run": dry_run,
                "zone": zone,
            },
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body if isinstance(body, Mapping) else None,
            csv=None if isinstance(body, Mapping) else body,
        )
        return await self._send_for(call, models.PaperReport)

    async def download_paper(
        self,
        session_id: UUID,
        *,
        separator: Literal["comma", "semicolon", "tab"] | None = None,
        zone: str | None = None,
    ) -> str:
        """The room as a table to type a room sheet into, and to send back filled in."""
        call = Call(
            "GET",
            f"/v1/sessions/{segment(session_id)}/paper.csv",
            query={
                "separator": separator,
                "zone": zone,
            },
        )
        return (await self._send(call)).text

    async def show_pilot(self, session_id: UUID) -> models.PilotReport:
        """What the machine would have done in a pilot, beside what people decided."""
        call = Call("GET", f"/v1/sessions/{segment(session_id)}/pilot")
        return await self._send_for(call, models.PilotReport)

    async def deliver_item(
        self, session_id: UUID, sealed: Picture, item: str, *, idempotency_key: str | None = None
    ) -> models.DeliveredItem:
        """Deliver one attempt that was taken without network, sealed as `docs/exams.md` says, in the order taken.

        A kiosk may do that for 24 hours after its end, with what it took before. Whatever opens is recorded."""
        call = Call(
            "POST",
            f"/v1/sessions/{segment(session_id)}/queue",
            form={
                "item": item,
            },
            pictures={
                "sealed": sealed,
            },
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
        )
        return await self._send_for(call, models.DeliveredItem)

    async def show_pack(self, session_id: UUID) -> models.Pack:
        """For a kiosk: numbers, names and seats of its session, and the key that seals what it takes."""
        call = Call("GET", f"/v1/sessions/{segment(session_id)}/queue/pack")
        return await self._send_for(call, models.Pack)

    async def show_readiness(self, session_id: UUID) -> models.Readiness:
        """Who cannot be verified and why, and which candidates look alike."""
        call = Call("GET", f"/v1/sessions/{segment(session_id)}/readiness")
        return await self._send_for(call, models.Readiness)

    async def download_readiness(
        self,
        session_id: UUID,
        *,
        separator: Literal["comma", "semicolon", "tab"] | None = None,
        zone: str | None = None,
    ) -> str:
        """Who is ready and who is not, why, and how old the photographs are: in one room."""
        call = Call(
            "GET",
            f"/v1/sessions/{segment(session_id)}/readiness.csv",
            query={
                "separator": separator,
                "zone": zone,
            },
        )
        return (await self._send(call)).text

    async def show_report(self, session_id: UUID) -> models.SessionReport:
        """How many candidates were verified within their tries, after how many, and how long it took."""
        call = Call("GET", f"/v1/sessions/{segment(session_id)}/report")
        return await self._send_for(call, models.SessionReport)

    async def download_report(
        self,
        session_id: UUID,
        *,
        separator: Literal["comma", "semicolon", "tab"] | None = None,
        zone: str | None = None,
    ) -> str:
        """Transactions, then every attempt with its decision, every override; no cell is taken for a formula."""
        call = Call(
            "GET",
            f"/v1/sessions/{segment(session_id)}/report.csv",
            query={
                "separator": separator,
                "zone": zone,
            },
        )
        return (await self._send(call)).text

    async def print_report(self, session_id: UUID, *, zone: str | None = None) -> bytes:
        """The session's report, to print: transactions first, then a line for each candidate who tried."""
        call = Call(
            "GET",
            f"/v1/sessions/{segment(session_id)}/report.pdf",
            query={
                "zone": zone,
            },
        )
        return (await self._send(call)).content

    async def show_roster(
        self, session_id: UUID, *, limit: int | None = None, cursor: str | None = None
    ) -> models.CandidateList:
        """The candidates with their flags and how each stands."""
        call = Call(
            "GET",
            f"/v1/sessions/{segment(session_id)}/roster",
            query={
                "limit": limit,
                "cursor": cursor,
            },
        )
        return await self._send_for(call, models.CandidateList)

    def iterate_roster(
        self, session_id: UUID, *, limit: int | None = None
    ) -> AsyncIterator[models.Candidate]:
        """All of `show_roster`, page after page; `limit` is how many come at a time."""
        return self._items(
            lambda cursor: self.show_roster(
                session_id,
                limit=limit,
                cursor=cursor,
            )
        )

    async def put_roster(
        self,
        session_id: UUID,
        body: str | bytes | Mapping[str, Any],
        *,
        dry_run: bool | None = None,
        mode: Literal["replace", "merge"] | None = None,
        create_subjects: bool | None = None,
        allow_empty: bool | None = None,
        layout: str | None = None,
        expect_removed: int | None = None,
    ) -> models.RosterReport:
        """Import a roster, all of it or nothing, and report what changed and what is wrong.

        To make subjects of unknown ids takes the scope `enrol` as well."""
        call = Call(
            "PUT",
            f"/v1/sessions/{segment(session_id)}/roster",
            query={
                "dry_run": dry_run,
                "mode": mode,
                "create_subjects": create_subjects,
                "allow_empty": allow_empty,
                "layout": layout,
                "expect_removed": expect_removed,
            },
            body=body if isinstance(body, Mapping) else None,
            csv=None if isinstance(body, Mapping) else body,
        )
        return await self._send_for(call, models.RosterReport)

    async def list_let_in_today(
        self, session_id: UUID, *, external_id: str | None = None
    ) -> models.LetInTodayList:
        """Who was let in to another exam today, where and when; to an operator of some exams, theirs alone."""
        call = Call(
            "GET",
            f"/v1/sessions/{segment(session_id)}/roster/let-in-today",
            query={
                "external_id": external_id,
            },
        )
        return await self._send_for(call, models.LetInTodayList)

    async def print_sheet(
        self, session_id: UUID, *, photographs: bool | None = None, zone: str | None = None
    ) -> bytes:
        """The room sheet, made before the day: QR codes of the numbers, and columns to write in by hand."""
        call = Call(
            "GET",
            f"/v1/sessions/{segment(session_id)}/sheet.pdf",
            query={
                "photographs": photographs,
                "zone": zone,
            },
        )
        return (await self._send(call)).content

    async def list_waiting(self, session_id: UUID) -> models.WaitingList:
        """All who need a person, oldest first, with the reasons."""
        call = Call("GET", f"/v1/sessions/{segment(session_id)}/waiting")
        return await self._send_for(call, models.WaitingList)

    async def attend_to_waiting(
        self, session_id: UUID, body: models.AttendedTerms, *, idempotency_key: str | None = None
    ) -> models.WaitingList:
        """Say that somebody who was turned away was seen to; answers with those who still wait."""
        call = Call(
            "POST",
            f"/v1/sessions/{segment(session_id)}/waiting/attended",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return await self._send_for(call, models.WaitingList)

    async def list_subjects(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        external_id: str | None = None,
        q: str | None = None,
        has_template: bool | None = None,
        is_poor: bool | None = None,
        has_twin: bool | None = None,
        legal_basis: Sequence[Literal["none", "in_force", "expiring", "expired", "withdrawn"]] | None = None,
        sort: Literal["added", "-added", "external_id", "name"] | None = None,
    ) -> models.SubjectList:
        """Subjects, all of them or those that were asked for."""
        call = Call(
            "GET",
            "/v1/subjects",
            query={
                "limit": limit,
                "cursor": cursor,
                "external_id": external_id,
                "q": q,
                "has_template": has_template,
                "is_poor": is_poor,
                "has_twin": has_twin,
                "legal_basis": legal_basis,
                "sort": sort,
            },
        )
        return await self._send_for(call, models.SubjectList)

    def iterate_subjects(
        self,
        *,
        limit: int | None = None,
        external_id: str | None = None,
        q: str | None = None,
        has_template: bool | None = None,
        is_poor: bool | None = None,
        has_twin: bool | None = None,
        legal_basis: Sequence[Literal["none", "in_force", "expiring", "expired", "withdrawn"]] | None = None,
        sort: Literal["added", "-added", "external_id", "name"] | None = None,
    ) -> AsyncIterator[models.SubjectDocument]:
        """All of `list_subjects`, page after page; `limit` is how many come at a time."""
        return self._items(
            lambda cursor: self.list_subjects(
                limit=limit,
                cursor=cursor,
                external_id=external_id,
                q=q,
                has_template=has_template,
                is_poor=is_poor,
                has_twin=has_twin,
                legal_basis=legal_basis,
                sort=sort,
            )
        )

    async def add_subject(
        self, body: models.SubjectFields, *, idempotency_key: str | None = None
    ) -> models.SubjectDocument:
        """Add a subject; a face comes with the first template."""
        call = Call(
            "POST",
            "/v1/subjects",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return await self._send_for(call, models.SubjectDocument)

    async def erase_subject(self, subject: UUID | str, *, despite_hold: str | None = None) -> models.Receipt:
        """Erase a subject: row, templates, vectors and kept answers are gone before this answers.

        Who is on hold, or a candidate of an exam that is, is erased only by an administrator who says why."""
        call = Call(
            "DELETE",
            f"/v1/subjects/{segment(subject)}",
            query={
                "despite_hold": despite_hold,
            },
        )
        return await self._send_for(call, models.Receipt)

    async def show_subject(self, subject: UUID | str) -> models.SubjectDocument:
        """One subject."""
        call = Call("GET", f"/v1/subjects/{segment(subject)}")
        return await self._send_for(call, models.SubjectDocument)

    async def change_subject(self, subject: UUID | str, body: models.SubjectFields) -> models.SubjectDocument:
        """Change the fields that are sent; null empties one."""
        call = Call("PATCH", f"/v1/subjects/{segment(subject)}", body=body)
        return await self._send_for(call, models.SubjectDocument)

    async def list_cards(self, subject: UUID | str) -> models.Cards:
        """The further numbers of a person."""
        call = Call("GET", f"/v1/subjects/{segment(subject)}/cards")
        return await self._send_for(call, models.Cards)

    async def set_cards(self, subject: UUID | str, body: models.Cards) -> models.Cards:
        """Give a person these further numbers in place of the former; none is an answer to a lost card."""
        call = Call("PUT", f"/v1/subjects/{segment(subject)}/cards", body=body)
        return await self._send_for(call, models.Cards)

    async def issue_enrolment_link(
        self,
        subject: UUID | str,
        *,
        days: int | None = None,
        direct: bool | None = None,
        idempotency_key: str | None = None,
    ) -> models.NewEnrolmentLink:
        """A link for the person alone, in place of a former one: one picture, ten attempts, and an end."""
        call = Call(
            "POST",
            f"/v1/subjects/{segment(subject)}/enrolment-link",
            query={
                "days": days,
                "direct": direct,
            },
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
        )
        return await self._send_for(call, models.NewEnrolmentLink)

    async def download_person_file(self, subject: UUID | str) -> models.PersonFile:
        """Everything that is held about one person, over all exams; templates and pictures are named alone."""
        call = Call("GET", f"/v1/subjects/{segment(subject)}/file")
        return await self._send_for(call, models.PersonFile)

    async def print_person_file(self, subject: UUID | str, *, zone: str | None = None) -> bytes:
        """The same on paper, to hand over to the person."""
        call = Call(
            "GET",
            f"/v1/subjects/{segment(subject)}/file.pdf",
            query={
                "zone": zone,
            },
        )
        return (await self._send(call)).content

    async def remove_portrait(self, subject: UUID | str) -> None:
        """Remove the portrait; direct links then bring proposals."""
        call = Call("DELETE", f"/v1/subjects/{segment(subject)}/portrait")
        await self._send(call)

    async def show_portrait(self, subject: UUID | str) -> bytes:
        """The portrait; that somebody has looked goes into the audit trail."""
        call = Call("GET", f"/v1/subjects/{segment(subject)}/portrait")
        return (await self._send(call)).content

    async def put_portrait(
        self, subject: UUID | str, image: Picture, *, idempotency_key: str | None = None
    ) -> models.PortraitDocument:
        """Keep a portrait, in place of a former one: one face. It is sealed, and is not a template.

                It is shown beside a picture that the person sends, and in a case where no crop is kept. A direct link
        enrols at once what matches it."""
        call = Call(
            "PUT",
            f"/v1/subjects/{segment(subject)}/portrait",
            pictures={
                "image": image,
            },
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
        )
        return await self._send_for(call, models.PortraitDocument)

    async def list_templates(self, subject: UUID | str) -> models.TemplateList:
        """The subject's templates, without their vectors."""
        call = Call("GET", f"/v1/subjects/{segment(subject)}/templates")
        return await self._send_for(call, models.TemplateList)

    async def enrol_template(
        self,
        subject: UUID | str,
        image: Picture,
        *,
        force: bool | None = None,
        reason: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.Enrolment:
        """Enrol one photograph of a subject: one face, good enough, and not already somebody else's."""
        call = Call(
            "POST",
            f"/v1/subjects/{segment(subject)}/templates",
            query={
                "force": force,
                "reason": reason,
            },
            pictures={
                "image": image,
            },
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
        )
        return await self._send_for(call, models.Enrolment)

    async def remove_template(self, template_id: UUID, subject: UUID | str) -> None:
        """Remove a template; before the answer it is gone, and is never found again."""
        call = Call("DELETE", f"/v1/subjects/{segment(subject)}/templates/{segment(template_id)}")
        await self._send(call)

    async def list_twins(self, subject: UUID | str) -> models.TwinList:
        """Who is enrolled in spite of this subject's face, and why."""
        call = Call("GET", f"/v1/subjects/{segment(subject)}/twins")
        return await self._send_for(call, models.TwinList)

    async def verify_subject(
        self, subject: UUID | str, image: Picture, *, idempotency_key: str | None = None
    ) -> models.Decision:
        """Compare one photograph with this subject's templates, and with nobody else's."""
        call = Call(
            "POST",
            f"/v1/subjects/{segment(subject)}/verify",
            pictures={
                "image": image,
            },
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
        )
        return await self._send_for(call, models.Decision)

    async def withdraw_consent(
        self, subject: UUID | str, *, idempotency_key: str | None = None
    ) -> models.WithdrawalReceiptDocument:
        """End a subject's consent: templates, crops and kept answers are gone before this answers."""
        call = Call(
            "POST",
            f"/v1/subjects/{segment(subject)}/withdrawal",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
        )
        return await self._send_for(call, models.WithdrawalReceiptDocument)

    async def issue_withdrawal_link(
        self, subject: UUID | str, *, idempotency_key: str | None = None
    ) -> models.WithdrawalLinkDocument:
        """A link for the person alone: whoever has it can withdraw their consent, and nothing else."""
        call = Call(
            "POST",
            f"/v1/subjects/{segment(subject)}/withdrawal-link",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
        )
        return await self._send_for(call, models.WithdrawalLinkDocument)

    async def list_rooms(self, *, exam_id: UUID | None = None) -> models.Rooms:
        """All who need a person in any session that is open now, oldest first, and how these sessions stand."""
        call = Call(
            "GET",
            "/v1/waiting",
            query={
                "exam_id": exam_id,
            },
        )
        return await self._send_for(call, models.Rooms)

    def follow_rooms(
        self, *, exam_id: UUID | None = None, last_event_id: str | None = None
    ) -> AsyncIterator[httpx2.ServerSentEvent]:
        """All rooms at once: `rooms`, then the messages of each session's board, with its `session_id`.

        `rooms` comes again when a session opens or closes, and whenever a connection begins."""
        return self._follow(
            "/v1/waiting/live",
            last_event_id,
            {
                "exam_id": exam_id,
            },
        )

    async def list_webhooks(
        self, *, limit: int | None = None, cursor: str | None = None
    ) -> models.WebhookList:
        """The webhooks in the order they were made."""
        call = Call(
            "GET",
            "/v1/webhooks",
            query={
                "limit": limit,
                "cursor": cursor,
            },
        )
        return await self._send_for(call, models.WebhookList)

    def iterate_webhooks(self, *, limit: int | None = None) -> AsyncIterator[models.WebhookDocument]:
        """All of `list_webhooks`, page after page; `limit` is how many come at a time."""
        return self._items(
            lambda cursor: self.list_webhooks(
                limit=limit,
                cursor=cursor,
            )
        )

    async def add_webhook(
        self, body: models.NewWebhook, *, idempotency_key: str | None = None
    ) -> models.IssuedWebhook:
        """Call an address about what happens from now on."""
        call = Call(
            "POST",
            "/v1/webhooks",
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
            is_once=True,
            body=body,
        )
        return await self._send_for(call, models.IssuedWebhook)

    async def remove_webhook(self, webhook_id: UUID) -> None:
        """Remove a webhook and its messages."""
        call = Call("DELETE", f"/v1/webhooks/{segment(webhook_id)}")
        await self._send(call)

    async def change_webhook(self, webhook_id: UUID, body: models.WebhookChange) -> models.WebhookDocument:
        """Disable a webhook, or enable it again: what happened meanwhile is delivered then."""
        call = Call("PATCH", f"/v1/webhooks/{segment(webhook_id)}", body=body)
        return await self._send_for(call, models.WebhookDocument)

    async def list_webhook_deliveries(
        self, webhook_id: UUID, *, limit: int | None = None, cursor: str | None = None
    ) -> models.DeliveryList:
        """The last messages of a webhook, the newest first."""
        call = Call(
            "GET",
            f"/v1/webhooks/{segment(webhook_id)}/deliveries",
            query={
                "limit": limit,
                "cursor": cursor,
            },
        )
        return await self._send_for(call, models.DeliveryList)

    def iterate_webhook_deliveries(
        self, webhook_id: UUID, *, limit: int | None = None
    ) -> AsyncIterator[models.DeliveryDocument]:
        """All of `list_webhook_deliveries`, page after page; `limit` is how many come at a time."""
        return self._items(
            lambda cursor: self.list_webhook_deliveries(
                webhook_id,
                limit=limit,
                cursor=cursor,
            )
        )

    async def send_webhook_again(self, webhook_id: UUID, delivery_id: UUID) -> models.DeliveryDocument:
        """Send a message once more, with its former id."""
        call = Call(
            "POST", f"/v1/webhooks/{segment(webhook_id)}/deliveries/{segment(delivery_id)}/send-again"
        )
        return await self._send_for(call, models.DeliveryDocument)

    async def rotate_webhook_secret(self, webhook_id: UUID) -> models.IssuedWebhook:
        """Make another secret, which signs every message from now on, those that are tried again too."""
        call = Call("POST", f"/v1/webhooks/{segment(webhook_id)}/secret")
        return await self._send_for(call, models.IssuedWebhook)

    async def test_webhook(self, webhook_id: UUID) -> models.DeliveryDocument:
        """Send a message that tells of nothing (`webhook.test`)."""
        call = Call("POST", f"/v1/webhooks/{segment(webhook_id)}/test")
        return await self._send_for(call, models.DeliveryDocument)
