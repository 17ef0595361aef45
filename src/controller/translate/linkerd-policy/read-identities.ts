import type { StringMatch } from '#shared/authz/policy.ts';
import type { Fields } from '../decode.ts';
import { principalOf } from './identity.ts';

/** A list of names as Linkerd's identities have them. One that nobody here can have lets in nobody, and is said. */
export function readIdentities(fields: Fields, key: string, trustDomain: string): readonly StringMatch[] {
  return fields.strings(key).flatMap(text => {
    const found = principalOf(text, trustDomain);
    const fix =
      'write <account>.<namespace>.serviceaccount.identity.linkerd.<trust domain>, *.<namespace>.serviceaccount.…, or *';
    if (found === undefined) fields.ignore(key, `"${text}" is no identity of an account: nobody has it`, fix);
    else if (domainOf(found) !== undefined && domainOf(found) !== trustDomain)
      fields.ignore(
        key,
        `"${text}" is of trust domain ${domainOf(found)}, and this mesh is ${trustDomain}: none of its workloads has it`,
        `write ${trustDomain} if its own are meant`,
      );
    return found ?? [];
  });
}

function domainOf(match: StringMatch): string | undefined {
  return 'value' in match ? match.value.split('/', 1)[0] : undefined;
}
