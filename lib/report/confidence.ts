/** How far numbers measured on a sample can be trusted. */

/** Of the normal distribution: 95% lie within so many standard deviations. */
const z = 1.959963984540054;

/**
 * Wilson's 95% interval of a share: `hits` of `rows` (Wilson 1927; statsmodels' proportion_confint, method 'wilson'). It stays within 0 and
 * 1, and is right for the high accuracies and small sets where the textbook's interval is not. From 0 to 1 of no rows.
 */
export function wilsonInterval(hits: number, rows: number): readonly [low: number, high: number] {
	if (rows === 0) return [0, 1];
	const share = hits / rows;
	const centre = share + z ** 2 / (2 * rows);
	const margin = z * Math.sqrt((share * (1 - share)) / rows + z ** 2 / (4 * rows ** 2));
	const scale = 1 + z ** 2 / rows;
	return [Math.max(0, (centre - margin) / scale), Math.min(1, (centre + margin) / scale)];
}

/**
 * McNemar's test of two models on the same rows: how likely it is, were both equally good, that the rows only one of them gets right are
 * shared out at least this unevenly. `onlyFirst`, `onlySecond`: those rows. Exact binomial with the mid-p correction, as Fagerland, Lydersen and
 * Laake (BMC Medical Research Methodology 2013) advise for few such rows; two-sided. 1 where there is none.
 */
export function mcNemar(onlyFirst: number, onlySecond: number): number {
	const rows = onlyFirst + onlySecond;
	if (rows === 0) return 1;
	const fewer = Math.min(onlyFirst, onlySecond);
	let logProbability = -rows * Math.LN2; // of 0 rows on the lesser side
	let tail = 0;
	for (let count = 0; count < fewer; count++) {
		tail += Math.exp(logProbability);
		logProbability += Math.log((rows - count) / (count + 1));
	}
	const here = Math.exp(logProbability);
	return onlyFirst === onlySecond ? 1 - here / 2 : 2 * tail + here;
}

/** Holm's step-down correction (1979) of the probabilities of several tests, in their order: the chance that any of them errs stays as it was. */
export function holm(probabilities: readonly number[]): number[] {
	const order = [...probabilities.keys()].sort((a, b) => (probabilities[a] as number) - (probabilities[b] as number));
	const corrected = new Array<number>(probabilities.length);
	let largest = 0;
	for (const [rank, index] of order.entries()) {
		largest = Math.max(largest, Math.min(1, (order.length - rank) * (probabilities[index] as number)));
		corrected[index] = largest;
	}
	return corrected;
}
