// Results of two stages side by side: gaps, and what may not differ at all.

/** Transformers' draws of a head, float32, differ by this much between its own kernels (a unit in the last place of the normal's cosine). */
const HEAD_BOUND = 3e-8;
/** The rates are one double formula on both sides; libraries may round its last digit. */
const RATE_BOUND = 1e-12;
/**
 * Two correct runs in float32 drift apart, each step from where the last one led. Transformers with its batches computed in another
 * order of summation shows by how much; a mistake shows as a hundred times that and more.
 */
export const DRIFT_FACTOR = 10;

/**
 * The norm that Trainer logs is summed by torch in float32 and comes out low: by 4e-6 to 2.5e-5 on this body's reference runs, by 5e-4 on 12 million
 * values. Both of its runs share that error, so their distance does not show it; what the reference recommends for it is added.
 */
const NORM_BOUND = 1e-4;

const last = (list) => list.at(-1);
const pick = (log, name) => log.map((entry) => entry[name]);
const float32 = (bytes) => new Float32Array(new Uint8Array(bytes).buffer);
const largest = (gaps) => gaps.reduce((best, gap, index) => (gap > best.gap ? { gap, index } : best), { gap: 0, index: 0 });
const absolute = (a, b) => largest(Array.from(a, (value, index) => Math.abs(value - b[index])));
const relative = (a, b) => largest(Array.from(a, (value, index) => (value === b[index] ? 0 : Math.abs(value / b[index] - 1))));

const logOdds = (result) => result.logOdds ?? result.logits.map(([first, second]) => second - first);

/** Where the runs must not differ: throws a sentence. */
export function requireSameStart(ours, theirs) {
	const seen = theirs.rows.flat();
	const other = seen.findIndex((row, index) => row !== ours.order[index]);
	if (other >= 0) throw new Error(`Order of rows: at place ${other} Transformers trained on row ${seen[other]}, ours names ${ours.order[other]}`);
	for (const [index, rows] of theirs.rows.entries()) {
		const tokens = rows.reduce((sum, row) => sum + ours.rowTokens[row], 0);
		if (tokens !== ours.tokens[index])
			throw new Error(`Step ${index + 1}: expected ${tokens} tokens of these rows, ours trained on ${ours.tokens[index]}`);
	}
	if (ours.losses.length !== theirs.losses.length) throw new Error(`Steps: ours took ${ours.losses.length}, Transformers ${theirs.losses.length}`);
	if (String(ours.labels) !== String(theirs.labels)) throw new Error(`Labels: ours ${ours.labels}, Transformers ${theirs.labels}`);
	const { gap } = headGap(ours, theirs);
	if (!(gap <= HEAD_BOUND)) throw new Error(`Start of the head: expected a gap of at most ${HEAD_BOUND}, got ${gap}`);
}

export const headGap = (a, b) => absolute(float32(a.head), float32(b.head));

/** Every gap of two runs logged at every step; `index` counts steps, or rows of the evaluation set, from 0. */
export function gaps(a, b) {
	const [oddsA, oddsB] = [logOdds(a), logOdds(b)];
	const apart = a.losses.map((loss, index) => Math.abs(loss - b.losses[index]));
	return {
		losses: apart,
		loss: largest(apart),
		meanLoss: apart.reduce((sum, gap) => sum + gap, 0) / apart.length,
		norm: relative(pick(a.log, 'grad_norm'), pick(b.log, 'grad_norm')),
		rate: relative(pick(a.log, 'learning_rate'), pick(b.log, 'learning_rate')),
		validationLoss: Math.abs(last(a.evaluations).eval_loss - last(b.evaluations).eval_loss),
		logOdds: absolute(oddsA, oddsB),
		otherLabels: oddsA.filter((odds, row) => odds > 0 !== oddsB[row] > 0).length,
	};
}

/** What a comparison of two step runs must keep to, given the distance of Transformers from itself; throws a sentence. */
export function requireClose(measured, yardstick) {
	const problems = [
		['learning rate, relative', measured.rate.gap, RATE_BOUND],
		['gradient norm, relative', measured.norm.gap, NORM_BOUND + DRIFT_FACTOR * yardstick.norm.gap],
		...['loss', 'logOdds'].map((name) => [name, measured[name].gap, DRIFT_FACTOR * yardstick[name].gap]),
	].filter(([, gap, bound]) => !(gap <= bound));
	if (problems.length > 0)
		throw new Error(problems.map(([name, gap, bound]) => `${name}: expected a gap of at most ${bound}, got ${gap}`).join('; '));
}

/** The table of a run of epochs, by Transformers' rule and by epoch. */
export function epochTable({ losses, log, evaluations }) {
	return evaluations.map(({ step, epoch, eval_loss, eval_accuracy }, index) => {
		const first = index === 0 ? 0 : evaluations[index - 1].step;
		const own = losses.slice(first, step);
		return {
			epoch: Math.round(epoch),
			step,
			loggedLoss: log.findLast((entry) => entry.step <= step)?.loss,
			epochMeanLoss: own.reduce((sum, loss) => sum + loss, 0) / own.length,
			validationLoss: eval_loss,
			accuracy: eval_accuracy,
		};
	});
}
