import { runFindingCodes } from '../lib/train/finding.js';

const codes: ReadonlySet<unknown> = new Set(runFindingCodes);

/** Events or warnings without what a diagnosis finds: a run that is over in a second always has too few rows for something. */
export const besideFindings = <Told extends object>(told: readonly Told[]): Told[] =>
	told.filter((each) => !('code' in each && codes.has(each.code)));
