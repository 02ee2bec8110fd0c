import sys
from pathlib import Path
from ncodec.training.run import read_options, train_image
i=sys.argv.index('--')
a=sys.argv[1:i]
train_image([Path(x) for x in a[1:]], out=Path(a[0]), options=read_options(sys.argv[i+1:]))
