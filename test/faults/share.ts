/** How much of each long list of cases is run: a third in `npm test`, all in `npm run test:reliability`. */
const share = Number(process.env.DISTILTUNE_TEST_SHARE ?? 1 / 3);

/** Whether no other tests run at the same time. */
export const alone = share === 1;

/** An evenly spread share of `cases`; says how many that are. */
export function sampled<Case>(name: string, cases: readonly Case[]): readonly Case[] {
	const kept = cases.filter((_, index) => Math.floor((index + 1) * share) > Math.floor(index * share));
	console.log(`${name}: ${kept.length} of ${cases.length}`);
	return kept;
}
