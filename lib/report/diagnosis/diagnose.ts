/** All that is found in a run. */
import { type RunFinding, type RunFindingCode, runFindingCodes } from '../../train/finding.js';
import { labelsShuffled, oneClassOnly } from './classes.js';
import { evaluationLeak, evaluationTooSmall, tooFewRows } from './data.js';
import type { RunFacts } from './facts.js';
import { overfitting, trainingFarBelowValidation } from './generalisation.js';
import { gradientExploding, gradientVanishing } from './gradients.js';
import { headNotTrained, learningRateTooHigh, learningRateTooLow, lossNotFalling } from './learning.js';
import { type Rule, viewOf } from './view.js';

export const rules: Readonly<Record<RunFindingCode, Rule>> = {
	GRADIENT_EXPLODING: gradientExploding,
	GRADIENT_VANISHING: gradientVanishing,
	LEARNING_RATE_TOO_HIGH: learningRateTooHigh,
	LEARNING_RATE_TOO_LOW: learningRateTooLow,
	HEAD_NOT_TRAINED: headNotTrained,
	LABELS_SHUFFLED: labelsShuffled,
	LOSS_NOT_FALLING: lossNotFalling,
	ONE_CLASS_ONLY: oneClassOnly,
	EVALUATION_LEAK: evaluationLeak,
	TRAINING_FAR_BELOW_VALIDATION: trainingFarBelowValidation,
	OVERFITTING: overfitting,
	TOO_FEW_ROWS: tooFewRows,
	EVALUATION_TOO_SMALL: evaluationTooSmall,
};

/** Causes of a loss that stays where it was: each explains what the codes after it would only describe. */
const causes: readonly RunFindingCode[] = [
	'GRADIENT_VANISHING',
	'LEARNING_RATE_TOO_HIGH',
	'LEARNING_RATE_TOO_LOW',
	'HEAD_NOT_TRAINED',
	'LABELS_SHUFFLED',
];

/** Findings that say nothing beside another one, by that one. */
const silences: Readonly<Partial<Record<RunFindingCode, readonly RunFindingCode[]>>> = {
	...Object.fromEntries(causes.map((cause) => [cause, ['LOSS_NOT_FALLING', 'EVALUATION_TOO_SMALL']])),
	GRADIENT_VANISHING: ['LEARNING_RATE_TOO_LOW', 'HEAD_NOT_TRAINED', 'LABELS_SHUFFLED', 'LOSS_NOT_FALLING', 'EVALUATION_TOO_SMALL'],
	LEARNING_RATE_TOO_HIGH: ['LABELS_SHUFFLED', 'LOSS_NOT_FALLING', 'EVALUATION_TOO_SMALL'],
	LABELS_SHUFFLED: ['LOSS_NOT_FALLING', 'EVALUATION_TOO_SMALL', 'OVERFITTING'],
	LOSS_NOT_FALLING: ['EVALUATION_TOO_SMALL'],
};

/** What explains most comes first. `defaults`: of the options of a run, which the commands proposed need not spell. */
export function diagnose(facts: RunFacts, defaults: Readonly<Record<string, unknown>> = {}): RunFinding[] {
	const run = viewOf(facts, defaults);
	const found = runFindingCodes.map((code) => rules[code](run)).filter((finding) => finding !== undefined);
	const silent = new Set(found.flatMap(({ code }) => silences[code] ?? []));
	return found.filter(({ code }) => !silent.has(code));
}
