/** A loss that does not fall, and the rate that keeps it from falling. */

import { checkCommand } from '../command.js';
import { stoppedBeingFinite } from './gradients.js';
import { gentlerRate, usualRate } from './next.js';
import { clearlyAbove, type Stretch } from './statistics.js';
import { figure, percent, type Rule, type RunView, stepsThatCount } from './view.js';

/** Of the guess, left in the last quarter. */
const nothingLearned = 0.95;
const littleLearned = 0.9;
/** Of the head's size at the start: what noise makes of 60 steps at 2e-5, linear, in a fresh head. */
export const headMovedLittle = 0.005;
/** The same where few steps were taken, which AdamW makes all of full size. */
const headMovedLittleInFewSteps = 0.03;
/** Of the encoder's size at the start. */
const encoderMovedFar = 0.25;
/** Of the guess: confident and wrong. */
const aboveGuess = 1.2;
const onceLearned = 0.8;
/** Size of the weights of a fresh head (initializer_range). */
const freshHead = 0.02;
/** Of the rate times the steps; a linear schedule leaves a half. */
const leftBySchedule = 0.25;

const still = ({ headMoved, steps }: RunView): boolean =>
	headMoved !== undefined && headMoved <= (steps < stepsThatCount ? headMovedLittleInFewSteps : headMovedLittle);
const plateau = (run: RunView, level: number): boolean => run.settled && run.left !== undefined && run.left >= level;
/** As good as a guess: a loss far above it is no head that stayed as it was. */
const guesses = (run: RunView): boolean => plateau(run, littleLearned) && (run.left as number) < aboveGuess;

export const learningRateTooHigh: Rule = (run) => {
	const seen = overshoot(run) ?? relapse(run) ?? overwritten(run) ?? overflow(run);
	if (seen === undefined) return undefined;
	return {
		code: 'LEARNING_RATE_TOO_HIGH',
		symptom: 'The learning rate is too high for this run',
		evidence: seen.evidence,
		cause: `steps of ${figure(run.learningRate)} overwrite what the model knew before; fine-tuning usually takes 1e-5 to 1e-4`,
		next: gentlerRate(run),
		step: seen.step,
	};
};

type Sight = { readonly step: number; readonly evidence: string } | undefined;

function overshoot({ guess, firstLoss, windows }: RunView): Sight {
	if (guess === undefined) return undefined;
	const level = Math.max(guess.loss, firstLoss ?? 0);
	const above = windows.find(
		(window) => window.loss - guess.floor >= aboveGuess * (level - guess.floor) && clearlyAbove(window, { loss: level, error: 0 }),
	);
	if (above === undefined) return undefined;
	return {
		step: above.from,
		evidence: `the mean training loss of steps ${above.from} to ${above.step} is ${figure(above.loss)}; it was ${figure(firstLoss ?? level)} at the first step, and a guess has ${figure(guess.loss)}`,
	};
}

function relapse({ guess, last, left, windows }: RunView): Sight {
	if (guess === undefined || last === undefined || left === undefined || left < littleLearned) return undefined;
	const lowest = windows.reduce<Stretch | undefined>((low, each) => (low === undefined || each.loss < low.loss ? each : low), undefined);
	if (lowest === undefined || lowest.step > last.from || guess.share(lowest.loss) > onceLearned || !clearlyAbove(last, lowest)) return undefined;
	return {
		step: lowest.step,
		evidence: `the training loss fell to ${figure(lowest.loss)} by step ${lowest.step} and is back at ${figure(last.loss)}, ${percent(left)} of a guess`,
	};
}

function overwritten({ left, encoderMoved, steps, last }: RunView): Sight {
	if (left === undefined || last === undefined || steps < stepsThatCount || left < nothingLearned) return undefined;
	if (encoderMoved === undefined || encoderMoved < encoderMovedFar) return undefined;
	return {
		step: 1,
		evidence: `the encoder's weights moved by ${percent(encoderMoved)} of their size, and the training loss stands at ${figure(last.loss)}, ${percent(left)} of a guess`,
	};
}

function overflow(run: RunView): Sight {
	if (!stoppedBeingFinite(run) || run.path < freshHead) return undefined;
	const step = run.steps + 1;
	return {
		step,
		evidence: `${run.error?.message}; by then the rates of the steps added up to ${figure(run.path)}, and a fresh head's weights are of size ${freshHead}`,
	};
}

export const learningRateTooLow: Rule = (run) => {
	if (!guesses(run) || !still(run) || headIsTheMatter(run) !== undefined) return undefined;
	const { last, first, left = 1, headMoved = 0, learningRate, steps, totalSteps } = run;
	const rate = learningRate < usualRate / 2 ? usualRate : 2 * learningRate;
	const early = steps < stepsThatCount && totalSteps <= steps;
	return {
		code: 'LEARNING_RATE_TOO_LOW',
		symptom: 'The learning rate is too low for this run',
		evidence: `in ${steps} steps the training loss went from ${figure(first?.loss ?? 0)} to ${figure(last?.loss ?? 0)}, ${percent(left)} of a guess, and the head's weights moved by ${percent(headMoved)} of their size`,
		cause: `steps of ${figure(learningRate)} are too small to get anywhere in ${steps} of them`,
		next: early ? run.again({ maxSteps: undefined, numTrainEpochs: 3 }) : run.again({ learningRate: rate }),
	};
};

export const headNotTrained: Rule = (run) => {
	const reason = headIsTheMatter(run);
	if (!guesses(run) || !still(run) || reason === undefined) return undefined;
	return {
		code: 'HEAD_NOT_TRAINED',
		symptom: 'The head is still the one that was drawn at random',
		evidence: `after ${run.steps} steps the head's weights have moved by ${percent(run.headMoved ?? 0)} of their size; ${reason.evidence}`,
		...reason.advice,
	};
};

/** Why a new head did not move, where it is not for the rate itself. */
function headIsTheMatter(run: RunView) {
	const { newHead, steps, path, learningRate, moved, drift, totalSteps } = run;
	if (!newHead || moved === undefined) return undefined;
	const share = path / (learningRate * steps);
	if (share < leftBySchedule)
		return {
			evidence: `the schedule left ${percent(share)} of the learning rate times the steps, where a linear one leaves 50%`,
			advice: { cause: 'a warm-up that is longer than the run, or nearly', next: run.again({ warmupSteps: undefined, warmupRatio: 0.1 }) },
		};
	if (steps < stepsThatCount)
		return {
			evidence: `${steps} steps of at most ${figure(learningRate)} were taken`,
			advice: {
				cause: totalSteps > steps ? 'the run ended before it had begun' : 'too few steps',
				next: totalSteps > steps ? run.again({}) : run.again({ maxSteps: Math.max(100, 4 * steps) }),
			},
		};
	if (moved.encoder.change > drift && moved.head.change < drift / 10)
		return {
			evidence: `the encoder's moved by ${figure(moved.encoder.change)}, the head's by ${figure(moved.head.change)}`,
			advice: { cause: 'no gradient reaches the head', next: checkCommand(run.config) },
		};
	return undefined;
}

export const lossNotFalling: Rule = (run) => {
	const { guess, first, last, left, steps } = run;
	if (steps < stepsThatCount || guess === undefined || first === undefined || last === undefined || left === undefined) return undefined;
	if (!plateau(run, nothingLearned) || guess.share(first.loss) - left > 1 - nothingLearned) return undefined;
	return {
		code: 'LOSS_NOT_FALLING',
		symptom: 'The training loss does not fall',
		evidence: `it is ${figure(first.loss)} in the first quarter of the ${steps} steps and ${figure(last.loss)} in the last; an answer that does not read the text has ${figure(guess.loss)}`,
		cause: 'texts that say little of their labels, or steps too few or too small for what they say',
		next: checkCommand(run.config),
		step: last.from,
	};
};
