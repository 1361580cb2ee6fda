"""Who could serve one request, out of what the catalogue and the vault know. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from orchestrator.catalogue import Catalogue
from orchestrator.domain import (
    ConnectionStatus,
    CreateLinkParams,
    ErrorType,
    OperationError,
    RequestRefused,
)
from orchestrator.routing import (
    Block,
    Candidate,
    CandidateFacts,
    LinkedConnection,
    Resolution,
)
from orchestrator.vault import ConnectionRecord

__all__ = ["BlockOf", "CandidateBook", "linked_connection"]

BlockOf = Callable[[str, str | None], Block | None]
"""Why a provider takes no call now for an institution, by the latest health snapshot."""


def _refused(code: str, message: str) -> RequestRefused:
    return RequestRefused(OperationError(ErrorType.VALIDATION, code, message))


def linked_connection(record: ConnectionRecord) -> LinkedConnection:
    """A vault record as routing sees it."""
    return LinkedConnection(
        connection_id=record.connection_id,
        provider=record.provider,
        region=record.region,
        institution_id=record.institution_id,
        needs_user=record.status is not ConnectionStatus.ACTIVE,
        account_ids=None if record.read_at is None else frozenset(record.account_ids),
        created_at_s=record.created_at,
    )


@dataclass(frozen=True, slots=True)
class CandidateBook:
    """What does not change between requests.

    `regions`: provider order by region. `configured`: providers that have an actor.
    `institution_bound`: providers that make no link session without a named institution.
    """

    regions: Mapping[str, tuple[str, ...]]
    configured: frozenset[str]
    institution_bound: frozenset[str]
    catalogue: Catalogue

    def for_link(
        self,
        params: CreateLinkParams,
        region: str,
        linked: tuple[ConnectionRecord, ...],
        block_of: BlockOf,
    ) -> tuple[CandidateFacts, ...]:
        """Candidates of a `createLink`, in priority order.

        Raises:
            RequestRefused: unknown institution, or nobody covers it here.

        """
        institution_id = params.institution_id
        providers = self.regions.get(region, ())
        if institution_id is not None:
            institution = self.catalogue.get(institution_id)
            if institution is None:
                raise _refused(
                    "UNKNOWN_INSTITUTION",
                    "params.institutionId: not in the catalogue; GET /v1/institutions lists it",
                )
            if institution.region != region or not any(
                provider in institution.provider_ids for provider in providers
            ):
                raise _refused(
                    "NO_CANDIDATE",
                    f"params.institutionId: no provider covers it in region {region}",
                )
        if params.backup and institution_id is None:
            raise _refused("INVALID_FIELD", "params.backup: name the institutionId to back up")
        if params.backup:
            already = {c.provider for c in linked if c.institution_id == institution_id}
            providers = tuple(provider for provider in providers if provider not in already)
            if not providers:
                raise _refused(
                    "NO_CANDIDATE",
                    "params.backup: this space has linked the institution through every provider",
                )
        return tuple(
            CandidateFacts(
                candidate=Candidate(provider, None, institution_id),
                configured=provider in self.configured,
                in_region=True,
                covers_institution=self._covers(provider, institution_id),
                linked=True,
                needs_user=False,
                block=block_of(provider, institution_id),
            )
            for provider in providers
        )

    def for_read(self, found: Resolution, block_of: BlockOf) -> tuple[CandidateFacts, ...]:
        """Candidates of a read, in priority order.

        Connections that need the user stay out while another can answer; when none can, they are
        asked after all, as the user may have mended them at the bank.
        """
        providers = list(self.regions.get(found.region, ()))
        providers += [provider for provider in found.by_provider if provider not in providers]
        facts = [self._read_facts(provider, found, block_of) for provider in providers]
        if any(f.linked and f.configured and not f.needs_user for f in facts):
            return tuple(facts)
        return tuple(
            CandidateFacts(
                f.candidate,
                f.configured,
                f.in_region,
                f.covers_institution,
                f.linked,
                needs_user=False,
                block=f.block,
            )
            for f in facts
        )

    def out_of_region(self, provider: str | None, region: str) -> CandidateFacts | None:
        """A preferred provider that does not serve the region, so that the decision says why not."""
        if provider is None or provider in self.regions.get(region, ()):
            return None
        return CandidateFacts(
            candidate=Candidate(provider),
            configured=provider in self.configured,
            in_region=False,
            covers_institution=False,
            linked=False,
            needs_user=False,
            block=None,
        )

    def pinned(self, candidate: Candidate, block_of: BlockOf) -> tuple[CandidateFacts, ...]:
        """The one candidate of a request that cannot go anywhere else."""
        return (
            CandidateFacts(
                candidate=candidate,
                configured=candidate.provider in self.configured,
                in_region=True,
                covers_institution=True,
                linked=True,
                needs_user=False,
                block=block_of(candidate.provider, candidate.institution_id),
            ),
        )

    def _read_facts(self, provider: str, found: Resolution, block_of: BlockOf) -> CandidateFacts:
        linked = found.by_provider.get(provider)
        return CandidateFacts(
            candidate=Candidate(
                provider, None if linked is None else linked.connection_id, found.institution_id
            ),
            configured=provider in self.configured,
            in_region=True,
            covers_institution=linked is not None or self._covers(provider, found.institution_id),
            linked=linked is not None,
            needs_user=linked is not None and linked.needs_user,
            block=block_of(provider, found.institution_id),
        )

    def _covers(self, provider: str, institution_id: str | None) -> bool:
        if institution_id is None:
            return provider not in self.institution_bound
        return self.catalogue.provider_id(institution_id, provider) is not None
