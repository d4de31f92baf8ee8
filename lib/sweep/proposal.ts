/** What the losses of a range test say of the rate. */

export interface RateLoss {
	readonly learningRate: number;
	readonly loss: number;
}

export interface Proposal {
	/** Rate at the steepest fall of the loss over the logarithm of the rate, two digits; null where the loss fell too little to tell. */
	readonly proposal: number | null;
	/** A tenth of the rate at the lowest smoothed loss, another rule of thumb; null where `proposal` is. */
	readonly tenth: number | null;
	/** Rate at the lowest smoothed loss. */
	readonly lowest: number;
	/** Mean loss of the first fifth of the planned steps, where the rate does nothing yet. */
	readonly startLoss: number;
	readonly lowestLoss: number;
	/** One a point, in their order. */
	readonly smoothed: readonly number[];
}

/** A fall that is smaller than this share of the loss at the start is no fall. */
const leastFall = 0.05;
/** ... and one within so many standard errors of the smoothed loss may be the batches' own scatter. */
const leastErrors = 3;

/**
 * `points`: of a rate that rises by the same factor a step; `steps`: as many as were planned. Losses are smoothed by a normal curve over the steps
 * on both sides, a twenty-fifth of all steps wide: a running mean would lag, and move every place it shows to higher rates. The steepest
 * fall is that of a least-squares line through an eighth of the steps on either side: single batches are too noisy for differences of neighbours.
 * Taking the steepest fall is fast.ai's `steep` (learner.lr_find), a tenth of the lowest its `minimum`.
 */
export function proposalOf(points: readonly RateLoss[], steps: number): Proposal {
	const finite = points.filter(({ loss }) => Number.isFinite(loss));
	const smoothed = smooth(
		finite.map(({ loss }) => loss),
		steps / 25,
	);
	const start = finite.slice(0, Math.max(2, Math.round(steps / 5))).map(({ loss }) => loss);
	const startLoss = mean(start);
	const at = smoothed.reduce((best, loss, index) => (loss < (smoothed[best] as number) ? index : best), 0);
	const lowest = finite[at]?.learningRate ?? Number.NaN;
	const lowestLoss = smoothed[at] ?? Number.NaN;
	// A normal curve of width s averages about 2 sqrt(pi) s values.
	const error = deviation(start, startLoss) / Math.sqrt(2 * Math.sqrt(Math.PI) * Math.max(1, steps / 25));
	const fall = startLoss - lowestLoss;
	const none = !(fall > Math.max(leastFall * startLoss, leastErrors * error));
	const steepest = none ? undefined : finite[steepestBefore(finite, at, Math.round(steps / 8)) ?? -1]?.learningRate;
	return {
		proposal: steepest === undefined ? null : twoDigits(steepest),
		tenth: steepest === undefined ? null : twoDigits(lowest / 10),
		...{ lowest, startLoss, lowestLoss, smoothed },
	};
}

/** Index before `end` around which a line through `reach` losses on either side falls most; undefined where none falls. */
function steepestBefore(points: readonly RateLoss[], end: number, reach: number): number | undefined {
	let best: number | undefined;
	let least = 0;
	for (let centre = reach; centre < Math.min(end, points.length - reach); centre++) {
		// The slope of the line, times a number that is the same everywhere.
		let slope = 0;
		for (let offset = -reach; offset <= reach; offset++) slope += offset * (points[centre + offset] as RateLoss).loss;
		if (slope < least) [best, least] = [centre, slope];
	}
	return best;
}

function smooth(values: readonly number[], width: number): number[] {
	const reach = Math.ceil(4 * width);
	return values.map((_, centre) => {
		let [sum, weights] = [0, 0];
		for (let index = Math.max(0, centre - reach); index <= Math.min(values.length - 1, centre + reach); index++) {
			const weight = Math.exp(-0.5 * ((index - centre) / width) ** 2);
			sum += weight * (values[index] as number);
			weights += weight;
		}
		return sum / weights;
	});
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const deviation = (values: readonly number[], centre: number) => Math.sqrt(mean(values.map((value) => (value - centre) ** 2)));
const twoDigits = (value: number) => Number(value.toPrecision(2));
