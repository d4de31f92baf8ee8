/** How good the probabilities themselves are: losses, Brier scores and calibration error. */
import type { ClassMetrics } from '../train/events.js';
import type { LossShape, Probabilities } from './scored-rows.js';

// scikit-learn's clip of log_loss.
const epsilon = 2 ** -52;
const bins = 15;

export type ProbabilityMetrics = Pick<ClassMetrics, 'loss' | 'logLoss' | 'brier' | 'brierSum' | 'ece'>;

/** `shape`: of `loss` alone. */
export function probabilityMetrics(probabilities: Probabilities, shape: LossShape = {}): ProbabilityMetrics {
	const { rows } = probabilities;
	let [loss, clipped, squares, secondSquares] = [0, 0, 0, 0];
	// Sum over the rows of each bin of: top probability - (1 where the top label is right).
	const gaps = new Float64Array(bins);
	for (let row = 0; row < rows.length; row++) {
		const actual = rows.classOf(row);
		loss += probabilities.loss(row, shape);
		clipped -= Math.log(Math.min(Math.max(probabilities.of(row, actual), epsilon), 1 - epsilon));
		for (let label = 0; label < rows.width; label++) {
			const square = (probabilities.of(row, label) - Number(label === actual)) ** 2;
			squares += square;
			if (label === 1) secondSquares += square;
		}
		const top = probabilities.largest[row] as number;
		const confidence = probabilities.of(row, top);
		const bin = binOf(confidence);
		gaps[bin] = (gaps[bin] as number) + confidence - Number(top === actual);
	}
	const mean = (sum: number) => (probabilities.areNumbers && rows.length > 0 ? sum / rows.length : null);
	const brierSum = mean(squares);
	return {
		loss: loss / rows.length,
		logLoss: mean(clipped),
		brier: rows.width === 2 ? mean(secondSquares) : brierSum,
		brierSum,
		ece: mean(gaps.reduce((sum, gap) => sum + Math.abs(gap), 0)),
	};
}

/** The k of (k / 15, (k + 1) / 15]; edges as division gives them, not as multiplication might. */
export function binOf(probability: number): number {
	let bin = Math.min(Math.max(Math.ceil(probability * bins) - 1, 0), bins - 1);
	if (bin > 0 && probability <= bin / bins) bin--;
	if (bin < bins - 1 && probability > (bin + 1) / bins) bin++;
	return bin;
}
