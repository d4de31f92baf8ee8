/** Training loss beside validation loss: rows that were known before, rows that are learned by heart. */
import { checkCommand } from '../command.js';
import type { EvaluationFacts } from './facts.js';
import { soundModel } from './next.js';
import { errorsThatCount, sum, wilson } from './statistics.js';
import { figure, type Rule, type RunView } from './view.js';

/** Of the validation loss. */
const farBelow = 0.5;
const rise = 1.25;
const trainingFell = 0.75;

/** Of a mean over rows whose losses have twice their mean as deviation. */
const errorOf = (loss: number, rows: number): number => (2 * loss) / Math.sqrt(rows);

/** How many times the training labels' guess costs on the evaluation rows what it costs on the training rows: other shares of the labels, other loss. */
function harder({ rows, guess, config }: RunView, { confusion }: EvaluationFacts): number {
	const { perLabel } = rows;
	if (guess === undefined || perLabel === undefined || confusion === undefined || config.classWeights !== undefined) return 1;
	const measured = confusion.map(sum);
	const all = sum(measured);
	const loss = -sum(
		measured.map((count, label) => (count === 0 ? 0 : (count / all) * Math.log(Math.max(1, perLabel[label] as number) / rows.train))),
	);
	return Math.max(1, loss / guess.loss);
}

export const trainingFarBelowValidation: Rule = (run) => {
	const { lossesCompare, evaluations, guess, newHead } = run;
	const evaluation = evaluations.find(({ epoch }) => epoch >= 1) ?? (run.ended ? evaluations[0] : undefined);
	if (!lossesCompare || evaluation === undefined || evaluation.epoch > 1) return undefined;
	const floor = guess?.floor ?? 0;
	const [training, validation] = [evaluation.epochLoss - floor, (evaluation.loss - floor) / harder(run, evaluation)];
	if (training > farBelow * validation || validation - training <= errorsThatCount * errorOf(validation, evaluation.rows)) return undefined;
	return {
		code: 'TRAINING_FAR_BELOW_VALIDATION',
		symptom: 'The training loss is far below the validation loss from the first epoch on',
		evidence: `in the first epoch the mean training loss is ${figure(evaluation.epochLoss)}, and the validation loss after it ${figure(evaluation.loss)} on ${evaluation.rows} rows; at first sight of a row it should be the other way round`,
		cause: newHead
			? 'training rows that stand many times in the data, or give their label away by something the evaluation rows do not have'
			: 'a model that was trained on these rows before, or training rows that stand many times in the data',
		next: newHead ? checkCommand(run.config) : soundModel(run),
		step: evaluation.step,
		epoch: evaluation.epoch,
	};
};

export const overfitting: Rule = (run) => {
	const { evaluations, guess, lossesCompare } = run;
	if (evaluations.length < 2 || !lossesCompare) return undefined;
	const floor = guess?.floor ?? 0;
	const least = evaluations.reduce((low, { loss }, index) => (loss < (evaluations[low] as EvaluationFacts).loss ? index : low), 0);
	const [best, last] = [evaluations[least], evaluations.at(-1)];
	if (best === undefined || last === undefined) return undefined;
	const [lowest, highest] = [best.loss - floor, last.loss - floor];
	const isHigh = ({ loss }: EvaluationFacts) => loss - floor >= rise * lowest;
	// From where on it never came back; what stays near the lowest belongs to it.
	const since = evaluations[evaluations.findLastIndex((each) => !isHigh(each)) + 1];
	if (since === undefined || highest - lowest <= errorsThatCount * errorOf(lowest, best.rows)) return undefined;
	const training = last.epochLoss - floor;
	const learnedMore = training <= trainingFell * (best.epochLoss - floor) && training < farBelow * highest;
	const gained = best.accuracy !== undefined && last.accuracy !== undefined && last.accuracy - best.accuracy > wilson(last.accuracy, last.rows).half;
	if (!learnedMore || gained) return undefined;
	const epoch = Math.ceil(since.epoch);
	return {
		code: 'OVERFITTING',
		symptom: `The model overfits since epoch ${epoch}`,
		evidence: `the validation loss is ${figure(best.loss)} after epoch ${figure(best.epoch)} and ${figure(last.loss)} after epoch ${figure(last.epoch)}, while the training loss fell from ${figure(best.epochLoss)} to ${figure(last.epochLoss)}`,
		cause: `${run.rows.train} rows are learned by heart once the pattern in them is learned`,
		next: run.again({ numTrainEpochs: Math.max(1, Math.round(best.epoch)), maxSteps: undefined }),
		step: since.step,
		epoch,
	};
};
