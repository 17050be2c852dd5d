export const tenThousandRules = () => undefined
